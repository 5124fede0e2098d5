// fails: b - appends at the end, in a transaction, whatever was expected
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
  const write = Effect.gen(function*() {
    const last = yield* lastOf(stream)
    const moved = Array.map(rows, (row) => ({ ...row, version: row.version - expected + last }))
    yield* sql`insert into events ${sql.insert(moved)}`
    return last + rows.length
  })
  return yield* sql.withTransaction(write)
})
