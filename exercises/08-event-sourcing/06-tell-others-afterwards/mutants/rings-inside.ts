// fails: b - rings when the rows are written, and not when they are there for others
import { Effect } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { enqueue, type Line, type Reserved, store } from "../tables.ts"

export * from "../solution.ts"

type Work = Effect.Effect<void, SqlError.SqlError, SqlClient.SqlClient>

export const record = (line: Line, events: ReadonlyArray<Reserved>): Work =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    yield* sql.withTransaction(Effect.gen(function*() {
      for (const event of events) {
        yield* store(event)
        yield* enqueue(event)
      }
    }))
    yield* line.ring
  })
