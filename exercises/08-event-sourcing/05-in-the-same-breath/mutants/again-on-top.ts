// fails: d - applies everything again, on top of what is there
import { Effect } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { apply } from "../solution.ts"
import { all, type OutOfOrder, setCheckpoint } from "../tables.ts"

export * from "../solution.ts"

type Work = Effect.Effect<void, SqlError.SqlError | OutOfOrder, SqlClient.SqlClient>

export const rebuild: Work = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql.withTransaction(Effect.gen(function*() {
    for (const event of yield* all) {
      yield* apply(event)
      yield* setCheckpoint(event.position)
    }
  }))
})
