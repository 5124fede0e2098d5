// fails: d - mails nobody any more
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
    return rows.modify(event.stream.id, (row) => ({
      free: (row?.free ?? 0) + (type === "Reserved" ? -data.seats : data.seats)
    }))
  },
  react: () => Effect.asVoid(Waiting)
})

export const release = Effect.gen(function*() {
  const projections = yield* Projection.Projections
  yield* projections.rebuild(Seats)
  yield* Effect.repeat(projections.drop(SeatsOfLastYear.name, SeatsOfLastYear.version), {
    schedule: often,
    while: (answer) => answer === "running"
  })
})
