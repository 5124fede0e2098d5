// fails: a - numbers the events of all streams together
import { Array, Effect } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { Conflict, type Events } from "../table.ts"

export * from "../solution.ts"

export const append = Effect.fnUntraced(function*(
  stream: string,
  expected: number,
  events: Events
): Effect.fn.Return<number, Conflict | SqlError.SqlError, SqlClient.SqlClient> {
  const sql = yield* SqlClient.SqlClient
  const write = Effect.gen(function*() {
    const [row] = yield* sql<{ last: number }>`select coalesce(max(version), 0) as last from events`
    const actual = row?.last ?? 0
    if (actual !== expected) return yield* new Conflict({ expected, actual })
    const rows = Array.map(events, ({ data, type }, index) => ({
      stream,
      version: actual + index + 1,
      type,
      data: JSON.stringify(data)
    }))
    yield* sql`insert into events ${sql.insert(rows)}`
    return actual + rows.length
  })
  return yield* sql.withTransaction(write)
})
