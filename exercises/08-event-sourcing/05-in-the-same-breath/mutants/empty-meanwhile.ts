// fails: d - empties the table first, and fills it in front of everybody
import { Effect } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { apply } from "../solution.ts"
import { all, type OutOfOrder, setCheckpoint } from "../tables.ts"

export * from "../solution.ts"

type Work = Effect.Effect<void, SqlError.SqlError | OutOfOrder, SqlClient.SqlClient>

export const rebuild: Work = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`delete from taken`
  yield* setCheckpoint(0)
  for (const event of yield* all) {
    yield* apply(event)
    yield* setCheckpoint(event.position)
  }
})
