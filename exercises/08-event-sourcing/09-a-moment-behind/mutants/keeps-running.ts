// fails: c - runs the new one, which never ends
import { Effect } from "effect"
import { Projection } from "effect-lifecycle/store"
import { SeatsOfLastYear } from "../show.ts"
import { Seats } from "../solution.ts"

export { type Reservation, reserve, Seats } from "../solution.ts"

export const release = Effect.gen(function*() {
  const projections = yield* Projection.Projections
  yield* projections.run(Seats)
  yield* projections.drop(SeatsOfLastYear.name, SeatsOfLastYear.version)
})
