/**
 * 08.5 In the same breath
 *
 * The list of shows says how many seats are taken. It is a table of its own, filled from the events after they were stored,
 * and most of the time it is right. On Tuesday the process was stopped between the two, and since then "Hamlet" has two
 * seats more on the screen than in the hall. Somebody ran the update again by hand; now it is "Macbeth" that is wrong.
 *
 * Do, with the functions of `tables.ts`
 * 1. `apply(event)`: counts the event into the row of its show. An event that is in it already (its version is not above
 *    that of the row) changes nothing. One that comes too early fails with `OutOfOrder` (`wanted` is the version that is
 *    next) and changes nothing.
 * 2. `record(events)`: stores the events, applies each, and sets the checkpoint to the last position. All of it or nothing.
 * 3. `rebuild`: empties the read model, applies all events from the first, and sets the checkpoint to the last position, or
 *    to 0. Others read the table meanwhile: they see the old one until the new one is complete.
 *
 * Check: `npm run learn`. It starts a PostgreSQL by itself.
 * Try: `npx tsx workspace/08-event-sourcing/05-in-the-same-breath/exercise.ts`.
 */
import { Effect } from "effect"
import { Database } from "effect-lifecycle/testing"
import { SqlClient, type SqlError } from "effect/sql"
import {
  all,
  createTables,
  type OutOfOrder,
  type Reserved,
  rowOf,
  setCheckpoint,
  setRow,
  store,
  type Stored
} from "./tables.ts"

type Work = Effect.Effect<void, SqlError.SqlError | OutOfOrder, SqlClient.SqlClient>

/** Counts an event into the read model. */
export const apply = (event: Stored): Work =>
  Effect.gen(function*() {
    const row = yield* rowOf(event.show)
    yield* setRow(event.show, { version: event.version, seats: row.seats + event.seats })
  })

/** Stores events, and what follows from them. */
export const record = (events: ReadonlyArray<Reserved>): Work =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const stored = yield* sql.withTransaction(Effect.forEach(events, store))
    for (const event of stored) {
      yield* apply(event)
      yield* setCheckpoint(event.position)
    }
  })

/** Makes the read model again. */
export const rebuild: Work = Effect.gen(function*() {
  for (const event of yield* all) yield* apply(event)
})

if (import.meta.main) {
  const program = Effect.gen(function*() {
    yield* createTables
    yield* record([{ show: "hamlet", version: 1, seats: 2 }])
    yield* rebuild
    console.log(yield* rowOf("hamlet"))
  })
  await Effect.runPromise(Effect.provide(program, Database.layer()))
}
