import { Effect } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { all, OutOfOrder, type Reserved, rowOf, setCheckpoint, setRow, store, type Stored } from "./tables.ts"

type Work = Effect.Effect<void, SqlError.SqlError | OutOfOrder, SqlClient.SqlClient>

export const apply = ({ seats, show, version }: Stored): Work =>
  Effect.gen(function*() {
    const row = yield* rowOf(show)
    if (version <= row.version) return
    if (version > row.version + 1) return yield* new OutOfOrder({ show, wanted: row.version + 1, got: version })
    yield* setRow(show, { version, seats: row.seats + seats })
  })

const applyAll = (events: ReadonlyArray<Stored>): Work =>
  Effect.gen(function*() {
    for (const event of events) yield* apply(event)
    const last = events.at(-1)
    if (last !== undefined) yield* setCheckpoint(last.position)
  })

const inTransaction = (work: Work): Work => Effect.flatMap(SqlClient.SqlClient, (sql) => sql.withTransaction(work))

export const record = (events: ReadonlyArray<Reserved>): Work =>
  inTransaction(Effect.flatMap(Effect.forEach(events, (event) => store(event)), applyAll))

export const rebuild: Work = inTransaction(Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`delete from taken`
  yield* setCheckpoint(0)
  yield* applyAll(yield* all)
}))
