// fails: c - checks first, and inserts without a transaction
import { Array, Effect } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { Conflict, type Events } from "../table.ts"

export * from "../solution.ts"

const lastOf = Effect.fnUntraced(function*(stream: string) {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ last: number }>`
    select coalesce(max(version), 0) as last from events where stream = ${stream}`
  return row?.last ?? 0
})

export const append = Effect.fnUntraced(function*(
  stream: string,
  expected: number,
  events: Events
): Effect.fn.Return<number, Conflict | SqlError.SqlError, SqlClient.SqlClient> {
  const sql = yield* SqlClient.SqlClient
  const rows = Array.map(events, ({ data, type }, index) => ({
    stream,
    version: expected + index + 1,
    type,
    data: JSON.stringify(data)
  }))
  const conflict = Effect.flatMap(lastOf(stream), (actual) => Effect.fail(new Conflict({ expected, actual })))
  if ((yield* lastOf(stream)) !== expected) return yield* conflict
  for (const row of rows) {
    yield* sql`insert into events ${sql.insert(row)}`.pipe(
      Effect.catchIf((error) => error.reason._tag === "UniqueViolation", () => conflict)
    )
  }
  return expected + rows.length
})
