import { Array, Effect } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { all, OutOfOrder, type Reserved, rowOf, setCheckpoint, setRow, store, type Stored } from "../tables.ts"

type Work = Effect.Effect<void, SqlError.SqlError | OutOfOrder, SqlClient.SqlClient>

interface Row {
  readonly version: number
  readonly seats: number
}

/** The row after an event; the same one where it is in it already. */
const counted = (row: Row, { seats, show, version }: Stored): Effect.Effect<Row, OutOfOrder> => {
  const wanted = row.version + 1
  if (version < wanted) return Effect.succeed(row)
  return version === wanted
    ? Effect.succeed({ version, seats: row.seats + seats })
    : Effect.fail(new OutOfOrder({ show, wanted, got: version }))
}

export const apply = (event: Stored): Work =>
  Effect.flatMap(
    rowOf(event.show),
    (before) =>
      Effect.flatMap(counted(before, event), (after) => after === before ? Effect.void : setRow(event.show, after))
  )

export const record = (events: ReadonlyArray<Reserved>): Work =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    sql.withTransaction(
      Effect.forEach(events, (event) =>
        // Each event, and at once what follows from it: they are in one transaction, so nobody sees a part.
        Effect.gen(function*() {
          const stored = yield* store(event)
          yield* apply(stored)
          yield* setCheckpoint(stored.position)
        }), { discard: true })
    ))

export const rebuild: Work = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql.withTransaction(Effect.gen(function*() {
    const events = yield* all
    yield* sql`delete from taken`
    for (const [show, some] of Object.entries(Array.groupBy(events, (event) => event.show))) {
      let row: Row = { version: 0, seats: 0 }
      for (const event of some) row = yield* counted(row, event)
      yield* setRow(show, row)
    }
    yield* setCheckpoint(events.at(-1)?.position ?? 0)
  }))
})
