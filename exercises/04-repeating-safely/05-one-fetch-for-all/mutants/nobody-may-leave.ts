// fails: c - makes the wait uninterruptible, so that nobody can be taken along
import { Effect } from "effect"
import * as solution from "../solution.ts"

export { makeWithEffect } from "../solution.ts"

export const make = (fetch: solution.Fetch, keepMillis: number): Effect.Effect<solution.Cache> =>
  Effect.map(solution.make(fetch, keepMillis), ({ get }) => ({ get: Effect.uninterruptible(get) }))
