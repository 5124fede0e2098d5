/**
 * 08.6 Tell others afterwards
 *
 * The hall has a system of its own, and wants to hear of each reservation. We tell it from inside the transaction. On Friday
 * the transaction was rolled back after the hall had been told, and two seats stayed empty. Somebody moved the call behind the
 * commit; on Saturday the process was stopped between the two, and the hall never heard of a whole row. No transaction
 * reaches both databases. A row reaches: "to be sent", written with the event, sent later, and marked when it was sent.
 *
 * Do, with the functions of `tables.ts`
 * 1. `record(line, events)`: stores the events, and a message for each, all of it or nothing. After the commit it rings the
 *    bell. The caller may have a transaction of its own; then its commit counts (`sql.afterCommit` knows).
 * 2. `relay(line, poll)`: runs until it is interrupted. It sends what is not marked as sent, and marks it. Then it waits for
 *    the bell, but not longer than `poll`: a bell can be lost. The messages of a show are sent in order, one after the other.
 *    One that cannot be sent, by a failure or by a defect, is tried again in the next round. Until then it holds back the
 *    later ones of its show, and nothing of other shows.
 * 3. `receive(message)`, at the hall: handles a message, whose seats are added. The same message may come again, or twice at
 *    the same moment; it counts once. If handling fails, nothing of it stays, so that it can come again.
 *
 * Check: `npm run learn`. It starts a PostgreSQL by itself.
 * Try: `npx tsx workspace/08-event-sourcing/06-tell-others-afterwards/exercise.ts`.
 */
import { type Duration, Effect, Fiber } from "effect"
import { Database } from "effect-lifecycle/testing"
import { SqlClient, type SqlError } from "effect/sql"
import { addSeats, createTables, type Line, makeLine, type Message, type Reserved, store, unsent } from "./tables.ts"

type Work = Effect.Effect<void, SqlError.SqlError, SqlClient.SqlClient>

/** Stores events, and sees to it that the hall is told. */
export const record = (line: Line, events: ReadonlyArray<Reserved>): Work =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    yield* sql.withTransaction(Effect.gen(function*() {
      for (const event of events) {
        yield* store(event)
        yield* Effect.ignore(line.send({ ...event, id: event.version }))
      }
    }))
  })

/** Sends what waits in the outbox, until it is interrupted. */
export const relay = (_line: Line, _poll: Duration.Input): Work => Effect.void

/** What the hall does with a message. */
export const receive = (message: Message): Work => addSeats(message)

if (import.meta.main) {
  const program = Effect.gen(function*() {
    yield* createTables
    const line = yield* makeLine((message) => Effect.sync(() => console.log("sent", message)))
    const running = yield* Effect.forkChild(relay(line, "1 second"))
    yield* record(line, [{ show: "hamlet", version: 1, seats: 2 }])
    yield* Effect.sleep("1 second")
    yield* Fiber.interrupt(running)
    console.log("not sent", yield* unsent)
  })
  await Effect.runPromise(Effect.provide(program, Database.layer()))
}
