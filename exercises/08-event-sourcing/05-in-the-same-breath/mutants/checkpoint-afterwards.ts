// fails: b - takes the checkpoint for a note that may be written later
import { Effect } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { apply } from "../solution.ts"
import { type OutOfOrder, type Reserved, setCheckpoint, store } from "../tables.ts"

export * from "../solution.ts"

type Work = Effect.Effect<void, SqlError.SqlError | OutOfOrder, SqlClient.SqlClient>

export const record = (events: ReadonlyArray<Reserved>): Work =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const last = yield* sql.withTransaction(Effect.gen(function*() {
      const stored = yield* Effect.forEach(events, (event) => store(event))
      for (const event of stored) yield* apply(event)
      return stored.at(-1)?.position ?? 0
    }))
    yield* setCheckpoint(last)
  })
