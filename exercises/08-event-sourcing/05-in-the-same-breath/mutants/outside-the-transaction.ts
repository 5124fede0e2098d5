// fails: b - fills the read model when the events are safe
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
    for (const event of stored) yield* apply(event)
    yield* setCheckpoint(stored.at(-1)?.position ?? 0)
  })
