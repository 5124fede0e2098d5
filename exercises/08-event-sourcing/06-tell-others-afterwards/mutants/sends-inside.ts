// fails: c - tells the hall in the transaction, to be quick, and keeps the outbox for the rest
import { Effect } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { enqueue, type Line, type Reserved, store, unsent } from "../tables.ts"

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
      for (const message of yield* unsent) yield* Effect.ignore(line.send(message))
      yield* sql.afterCommit(line.ring)
    }))
  })
