import { Effect } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { Conflict, type Events } from "../table.ts"

export * from "../solution.ts"

/** One statement that inserts only where the stream stands right, and no transaction around it. */
export const append = Effect.fnUntraced(function*(
  stream: string,
  expected: number,
  events: Events
): Effect.fn.Return<number, Conflict | SqlError.SqlError, SqlClient.SqlClient> {
  const sql = yield* SqlClient.SqlClient
  const written = yield* sql`
    insert into events (stream, version, type, data)
    select ${stream}, ${expected}::int + n, e->>'type', e->'data'
    from jsonb_array_elements(${JSON.stringify(events)}::jsonb) with ordinality as new (e, n)
    where (select coalesce(max(version), 0) from events where stream = ${stream}) = ${expected}
    returning version`.pipe(
    Effect.catchIf((error) => error.reason._tag === "UniqueViolation", () => Effect.succeed([]))
  )
  if (written.length > 0) return expected + written.length
  const [row] = yield* sql<{ last: number }>`
    select coalesce(max(version), 0) as last from events where stream = ${stream}`
  return yield* new Conflict({ expected, actual: row?.last ?? 0 })
})
