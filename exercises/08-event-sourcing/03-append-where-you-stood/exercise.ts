/**
 * 08.3 Append where you stood
 *
 * Two clerks look at the same show: version 7, one seat left. Both sell it. Whoever stores the sale as "the next event, which
 * is number 8", and then number 9, has sold the seat twice, although each decision was right. So an append says on which
 * version it was decided: "I stood at 7". If the stream has moved, nothing is written, and the writer is told where it is.
 *
 * Do
 * 1. `append(stream, expected, events)` into the table of `table.ts`: numbered on from `expected`, all of them or none. The
 *    answer is the version of the last event. Where the stream is not at `expected`, fail with `Conflict`, which has both
 *    versions, and write nothing.
 * 2. Two writers can be right at the same moment: both see 7, both write 8. The primary key stops the second one, with an
 *    `SqlError` whose `reason._tag` is `"UniqueViolation"`. That is a `Conflict` too. Any other `SqlError` stays one. (A
 *    transaction in which a statement failed is over; ask where the stream is after it.)
 * 3. `appendWithLibrary(stream, expected, events)` with `EventStore` of the library, which answers a conflict as a value.
 *
 * Check: `npm run learn`. It starts a PostgreSQL by itself.
 * Try: `npx tsx workspace/08-event-sourcing/03-append-where-you-stood/exercise.ts`.
 */
import { Effect } from "effect"
import type { EventStore, UnitOfWork } from "effect-lifecycle/store"
import { Database } from "effect-lifecycle/testing"
import { SqlClient, type SqlError } from "effect/sql"
import { type Conflict, createTable, type Events, read } from "./table.ts"

/** Appends to a stream that is at `expected`, and answers with its version afterwards. */
export const append = Effect.fnUntraced(function*(
  stream: string,
  _expected: number,
  events: Events
): Effect.fn.Return<number, Conflict | SqlError.SqlError, SqlClient.SqlClient> {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ last: number }>`
    select coalesce(max(version), 0) as last from events where stream = ${stream}`
  let version = row?.last ?? 0
  for (const { data, type } of events) {
    version++
    yield* sql`insert into events ${sql.insert({ stream, version, type, data: JSON.stringify(data) })}`
  }
  return version
})

/** The same with the library. */
export const appendWithLibrary = (
  _stream: EventStore.StreamId,
  _expected: number,
  _events: Events
): Effect.Effect<
  number,
  Conflict | UnitOfWork.StoreUnavailable | EventStore.InvalidAppend | EventStore.StreamArchived,
  EventStore.EventStore
> => Effect.succeed(0)

if (import.meta.main) {
  const program = Effect.gen(function*() {
    yield* createTable
    const sale = (clerk: string) => append("hamlet", 0, [{ type: "Sold", data: { clerk } }])
    yield* Effect.exit(sale("first"))
    yield* Effect.exit(sale("second, who saw the same version"))
    console.log(yield* read("hamlet"))
  })
  await Effect.runPromise(Effect.provide(program, Database.layer()))
}
