// fails: b - writes the messages when the events are safe
import { Effect } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { enqueue, type Line, type Reserved, store } from "../tables.ts"

export * from "../solution.ts"

type Work = Effect.Effect<void, SqlError.SqlError, SqlClient.SqlClient>

export const record = (line: Line, events: ReadonlyArray<Reserved>): Work =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    yield* sql.withTransaction(Effect.forEach(events, store, { discard: true }))
    yield* sql.withTransaction(Effect.forEach(events, enqueue, { discard: true }))
    yield* sql.afterCommit(line.ring)
  })
