// fails: e - caches for ever
import { Effect } from "effect"
import type { Cache, Fetch } from "../solution.ts"

export { make } from "../solution.ts"

export const makeWithEffect = (fetch: Fetch, _keepMillis: number): Effect.Effect<Cache> =>
  Effect.map(Effect.cached(fetch), (get) => ({ get }))
