// fails: b - leaves the handler as it was
import { Effect } from "effect"
import { Projection } from "effect-lifecycle/store"
import { often, Row, SeatsOfLastYear, Waiting, whatOf } from "../show.ts"

export { type Reservation, reserve } from "../solution.ts"

export const Seats = Projection.make({
  name: "free seats",
  version: 2,
  schema: Row,
  categories: ["Show"],
  handle: (event, rows) => {
    const { data, type } = whatOf(event)
    return type === "Cancelled"
      ? Effect.void
      : rows.modify(event.stream.id, (row) => ({
        free: (row?.free ?? 0) + (type === "Opened" ? data.seats : -data.seats)
      }))
  },
  react: (event) => event.type === "Cancelled" ? Waiting.use((waiting) => waiting.mail(event.stream.id)) : Effect.void
})

export const release = Effect.gen(function*() {
  const projections = yield* Projection.Projections
  yield* projections.rebuild(Seats)
  yield* Effect.repeat(projections.drop(SeatsOfLastYear.name, SeatsOfLastYear.version), {
    schedule: often,
    while: (answer) => answer === "running"
  })
})
