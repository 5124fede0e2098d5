// fails: e - waits until the list has it, however long that takes
import { type Duration, Effect, Option } from "effect"
import { type EventStore, Projection } from "effect-lifecycle/store"
import { happened, type StoreFailed } from "../show.ts"
import { type Reservation, Seats } from "../solution.ts"

export { release, type Reservation, Seats } from "../solution.ts"

export const reserve = (
  { customer, seats, show }: Reservation,
  _patience: Duration.Input
): Effect.Effect<Option.Option<number>, StoreFailed, EventStore.EventStore | Projection.Projections> =>
  Effect.gen(function*() {
    const projections = yield* Projection.Projections
    const position = yield* happened(show, { type: "Reserved", data: { customer, seats } })
    yield* Effect.ignore(projections.awaitPosition(Seats, position))
    const row = yield* Effect.orElseSucceed(projections.get(Seats, show), () => Option.none())
    return Option.map(row, ({ state }) => state.free)
  })
