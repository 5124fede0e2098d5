/**
 * 08.9 A moment behind (stretch)
 *
 * The list of free seats is kept behind the events, so that nobody waits for it. Four complaints have come. Seats that were
 * given back are missing from it. When somebody made it again from the first event, it was empty for a minute, and everybody
 * who waits for a seat got the mails of a whole year. And whoever has just bought a seat looks at the list and does not find it.
 *
 * `show.ts` has the events, the list of last year, and the people who wait.
 *
 * Do
 * 1. `Seats`: version 2 of the list, in which `Cancelled` gives its seats back.
 * 2. When seats are given back, those who wait get a mail. Nobody gets one for what happened before version 2 was there.
 * 3. `release`: builds version 2 while version 1 goes on and is read. It ends when version 2 is live and version 1 is dropped.
 *    A version cannot be dropped while somebody runs it; who runs version 1 needs a moment to notice that it is not wanted.
 * 4. `reserve(reservation, patience)`: stores it, and answers with the free seats as the list has them with this reservation in
 *    it: not sooner, not later than necessary. What is stored is sold. If the list is not there within `patience`, or has no
 *    answer, the answer is `None`, and not a failure.
 *
 * Check: `npm run learn`.
 * Try: `npx tsx workspace/08-event-sourcing/09-a-moment-behind/exercise.ts`.
 */
import { type Duration, Effect, Option } from "effect"
import { type EventStore, MemoryStore, Projection } from "effect-lifecycle/store"
import { happened, Row, SeatsOfLastYear, type StoreFailed, Waiting, whatOf } from "./show.ts"

export interface Reservation {
  readonly show: string
  readonly customer: string
  readonly seats: number
}

/** The list of free seats. */
export const Seats = Projection.make({
  name: "free seats",
  version: 1,
  schema: Row,
  categories: ["Show"],
  handle: (event, rows) => {
    const what = whatOf(event)
    if (what.type === "Cancelled") return Waiting.use((waiting) => waiting.mail(event.stream.id))
    return rows.modify(event.stream.id, (row) => ({
      free: (row?.free ?? 0) + (what.type === "Opened" ? what.data.seats : -what.data.seats)
    }))
  }
})

/** Brings the new list, and takes the old one away. */
export const release = Effect.gen(function*() {
  const projections = yield* Projection.Projections
  yield* projections.drop(SeatsOfLastYear.name, SeatsOfLastYear.version)
  yield* projections.rebuild(Seats)
})

/** Reserves, and answers how many seats are free then, if the list can say so. */
export const reserve = (
  { customer, seats, show }: Reservation,
  _patience: Duration.Input
): Effect.Effect<Option.Option<number>, StoreFailed, EventStore.EventStore | Projection.Projections> =>
  Effect.gen(function*() {
    const projections = yield* Projection.Projections
    yield* happened(show, { type: "Reserved", data: { customer, seats } })
    const row = yield* Effect.orDie(projections.get(Seats, show))
    return Option.map(row, ({ state }) => state.free)
  })

if (import.meta.main) {
  const program = Effect.gen(function*() {
    const projections = yield* Projection.Projections
    yield* happened("hamlet", { type: "Opened", data: { seats: 100 } })
    yield* happened("hamlet", { type: "Reserved", data: { customer: "ada", seats: 60 } })
    yield* happened("hamlet", { type: "Cancelled", data: { customer: "ada", seats: 60 } })
    yield* Effect.forkChild(projections.run(SeatsOfLastYear))
    yield* projections.awaitLive(SeatsOfLastYear)
    yield* release
    yield* Effect.forkChild(projections.run(Seats))
    console.log("versions", yield* projections.versions("free seats"))
    const free = yield* reserve({ show: "hamlet", customer: "bob", seats: 1 }, "1 second")
    console.log("free", Option.getOrUndefined(free), "of 99")
  })
  await Effect.runPromise(program.pipe(
    Effect.provideService(Waiting, { mail: (show) => Effect.sync(() => console.log("mail: a seat for", show)) }),
    Effect.provide(MemoryStore.layer)
  ))
}
