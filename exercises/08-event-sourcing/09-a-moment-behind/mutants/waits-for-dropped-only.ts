// fails: c - asks until something was dropped, also where there is nothing
import { Effect } from "effect"
import { Projection } from "effect-lifecycle/store"
import { often, SeatsOfLastYear } from "../show.ts"
import { Seats } from "../solution.ts"

export { type Reservation, reserve, Seats } from "../solution.ts"

export const release = Effect.gen(function*() {
  const projections = yield* Projection.Projections
  yield* projections.rebuild(Seats)
  yield* Effect.repeat(projections.drop(SeatsOfLastYear.name, SeatsOfLastYear.version), {
    schedule: often,
    until: (answer) => answer === "dropped"
  })
})
