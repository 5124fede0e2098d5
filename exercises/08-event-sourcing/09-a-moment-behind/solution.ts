import { type Duration, Effect, Option } from "effect"
import { type EventStore, Projection } from "effect-lifecycle/store"
import { happened, often, Row, SeatsOfLastYear, type StoreFailed, Waiting, whatOf } from "./show.ts"

export interface Reservation {
  readonly show: string
  readonly customer: string
  readonly seats: number
}

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

export const reserve = (
  { customer, seats, show }: Reservation,
  patience: Duration.Input
): Effect.Effect<Option.Option<number>, StoreFailed, EventStore.EventStore | Projection.Projections> =>
  Effect.gen(function*() {
    const projections = yield* Projection.Projections
    const position = yield* happened(show, { type: "Reserved", data: { customer, seats } })
    const row = yield* projections.awaitPosition(Seats, position).pipe(
      Effect.andThen(projections.get(Seats, show)),
      Effect.timeout(patience),
      Effect.orElseSucceed(() => Option.none())
    )
    return Option.map(row, ({ state }) => state.free)
  })
