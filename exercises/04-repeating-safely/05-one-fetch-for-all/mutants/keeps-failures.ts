// fails: d - keeps a failure as long as a value
import { Effect } from "effect"
import type { Cache, Fetch } from "../solution.ts"

export { makeWithEffect } from "../solution.ts"

export const make = (fetch: Fetch, keepMillis: number): Effect.Effect<Cache> =>
  Effect.map(Effect.cachedWithTTL(fetch, keepMillis), (get) => ({ get }))
