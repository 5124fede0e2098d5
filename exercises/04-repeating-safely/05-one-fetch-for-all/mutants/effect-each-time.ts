// fails: e - makes the cache inside of `get`
import { Effect, Exit } from "effect"
import type { Cache, Fetch } from "../solution.ts"

export { make } from "../solution.ts"

export const makeWithEffect = (fetch: Fetch, keepMillis: number): Effect.Effect<Cache> =>
  Effect.succeed({
    get: Effect.flatten(Effect.cachedWithTTL(fetch, (exit) => Exit.isSuccess(exit) ? keepMillis : 0))
  })
