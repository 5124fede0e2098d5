// fails: b - lets the last writer win
import { Array, Effect } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import type { Conflict, Events } from "../table.ts"

export * from "../solution.ts"

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
  yield* sql`insert into events ${sql.insert(rows)}
    on conflict (stream, version) do update set type = excluded.type, data = excluded.data`
  return expected + rows.length
})
