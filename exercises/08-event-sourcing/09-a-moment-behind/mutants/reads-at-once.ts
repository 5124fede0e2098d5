// fails: e - reads what the list has just then
import { type Duration, Effect, Option } from "effect"
import { type EventStore, Projection } from "effect-lifecycle/store"
import { happened, type StoreFailed } from "../show.ts"
import { type Reservation, Seats } from "../solution.ts"

export { release, type Reservation, Seats } from "../solution.ts"

export const reserve = (
  { customer, seats, show }: Reservation,
  patience: Duration.Input
): Effect.Effect<Option.Option<number>, StoreFailed, EventStore.EventStore | Projection.Projections> =>
  Effect.gen(function*() {
    const projections = yield* Projection.Projections
    const position = yield* happened(show, { type: "Reserved", data: { customer, seats } })
    const row = yield* projections.get(Seats, show).pipe(
      Effect.delay(position > 0n ? 0 : patience),
      Effect.orElseSucceed(() => Option.none())
    )
    return Option.map(row, ({ state }) => state.free)
  })
