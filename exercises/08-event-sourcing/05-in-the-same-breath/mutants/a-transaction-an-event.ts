// fails: b - makes a transaction for each event, and keeps the first ones of a bad batch
import { Effect } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { apply } from "../solution.ts"
import { type OutOfOrder, type Reserved, setCheckpoint, store } from "../tables.ts"

export * from "../solution.ts"

type Work = Effect.Effect<void, SqlError.SqlError | OutOfOrder, SqlClient.SqlClient>

export const record = (events: ReadonlyArray<Reserved>): Work =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    for (const event of events) {
      yield* sql.withTransaction(Effect.gen(function*() {
        const stored = yield* store(event)
        yield* apply(stored)
        yield* setCheckpoint(stored.position)
      }))
    }
  })
