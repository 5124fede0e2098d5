// Runs version 2 itself until it is live, and looks at the rows instead of waiting: each carries the position that wrote it.
import { type Duration, Effect, Option } from "effect"
import { type EventStore, Projection } from "effect-lifecycle/store"
import { happened, often, Row, SeatsOfLastYear, type StoreFailed, Waiting, whatOf } from "../show.ts"

export type Reservation = { readonly show: string; readonly customer: string; readonly seats: number }

export const Seats = Projection.make({
  name: SeatsOfLastYear.name,
  version: SeatsOfLastYear.version + 1,
  schema: Row,
  types: ["Opened", "Reserved", "Cancelled"],
  handle: (event, rows) =>
    Effect.gen(function*() {
      const what = whatOf(event)
      const row = yield* rows.get(event.stream.id)
      const before = Option.isSome(row) ? row.value.state.free : 0
      const change = { Opened: 1, Cancelled: 1, Reserved: -1 }[what.type] * what.data.seats
      yield* rows.put(event.stream.id, { free: before + change })
    }),
  react: (event) =>
    Effect.gen(function*() {
      if (event.type !== "Cancelled") return
      const waiting = yield* Waiting
      yield* waiting.mail(event.stream.id)
    })
})

export const release = Effect.gen(function*() {
  const projections = yield* Projection.Projections
  yield* Effect.raceFirst(projections.run(Seats), projections.awaitLive(Seats))
  const old = Effect.map(
    projections.versions(Seats.name),
    (versions) => versions.find(({ version }) => version === SeatsOfLastYear.version)
  )
  while ((yield* old) !== undefined) {
    yield* projections.drop(Seats.name, SeatsOfLastYear.version)
    yield* Effect.sleep("200 millis")
  }
})

export const reserve = (
  { customer, seats, show }: Reservation,
  patience: Duration.Input
): Effect.Effect<Option.Option<number>, StoreFailed, EventStore.EventStore | Projection.Projections> =>
  Effect.gen(function*() {
    const projections = yield* Projection.Projections
    const position = yield* happened(show, { type: "Reserved", data: { customer, seats } })
    const row = yield* projections.get(Seats, show).pipe(
      Effect.repeat({
        schedule: often,
        until: Option.exists(({ version }) => BigInt(version) >= position)
      }),
      Effect.timeoutOption(patience),
      Effect.orElseSucceed(() => Option.none())
    )
    return Option.map(Option.flatten(row), ({ state }) => state.free)
  })
