// fails: d - when the fetch fails, those who waited for it ask the bank themselves
import { Effect } from "effect"
import * as solution from "../solution.ts"

export { makeWithEffect } from "../solution.ts"

export const make = (fetch: solution.Fetch, keepMillis: number): Effect.Effect<solution.Cache> =>
  Effect.map(solution.make(fetch, keepMillis), ({ get }) => ({ get: Effect.retry(get, { times: 1 }) }))
