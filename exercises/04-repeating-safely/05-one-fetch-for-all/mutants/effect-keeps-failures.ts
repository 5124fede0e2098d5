// fails: e - gives one time for every end
import { Effect } from "effect"
import type { Cache, Fetch } from "../solution.ts"

export { make } from "../solution.ts"

export const makeWithEffect = (fetch: Fetch, keepMillis: number): Effect.Effect<Cache> =>
  Effect.map(Effect.cachedWithTTL(fetch, keepMillis), (get) => ({ get }))
