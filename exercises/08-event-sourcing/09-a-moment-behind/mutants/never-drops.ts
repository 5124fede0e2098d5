// fails: c - leaves the old rows where they are
import { Effect } from "effect"
import { Projection } from "effect-lifecycle/store"
import { Seats } from "../solution.ts"

export { type Reservation, reserve, Seats } from "../solution.ts"

export const release = Effect.gen(function*() {
  const projections = yield* Projection.Projections
  yield* projections.rebuild(Seats)
})
