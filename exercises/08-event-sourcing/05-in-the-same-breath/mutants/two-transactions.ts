// fails: b - has a transaction for the events, and one for what follows
import { Effect } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { apply } from "../solution.ts"
import { type OutOfOrder, type Reserved, setCheckpoint, store } from "../tables.ts"

export * from "../solution.ts"

type Work = Effect.Effect<void, SqlError.SqlError | OutOfOrder, SqlClient.SqlClient>

export const record = (events: ReadonlyArray<Reserved>): Work =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const stored = yield* sql.withTransaction(Effect.forEach(events, (event) => store(event)))
    yield* sql.withTransaction(Effect.gen(function*() {
      for (const event of stored) yield* apply(event)
      yield* setCheckpoint(stored.at(-1)?.position ?? 0)
    }))
  })
