/** The inbox in PostgreSQL: inserting a row that another transaction is inserting waits for how that one ends. */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import type { InboxBackend } from "../outbox/InboxBackend.ts"
import { pruneBatch, wholly } from "./pruning.ts"
import { orUnavailable, retrying } from "./SqlFailure.ts"

export const make = (client: SqlClient.SqlClient, schema: string): InboxBackend => {
  const sql = client.withoutTransforms()
  const retried = retrying(sql)
  const table = `${schema}.inbox`
  const text = {
    record: `insert into ${table} (tenant, source, id) values ($1, $2, $3)
      on conflict (tenant, source, id) do nothing returning 1 as done`,
    find: `select 1 as done from ${table} where tenant = $1 and source = $2 and id = $3`,
    remove: `delete from ${table} where tenant = $1 and source = $2 and id = $3 returning 1 as done`,
    prune: `delete from ${table} where (tenant, source, id) in (
        select tenant, source, id from ${table}
        where at <= clock_timestamp() - $1::bigint * interval '1 millisecond'
        order by at limit ${pruneBatch} for update skip locked
      ) returning 1 as done`
  }
  const count = (operation: string, statement: string, parameters: ReadonlyArray<unknown>) =>
    retried(sql.unsafe(statement, parameters)).pipe(orUnavailable(operation), Effect.map(({ length }) => length))
  const one = (operation: string, statement: string): InboxBackend["find"] => (tenant, { id, source }) =>
    Effect.map(count(operation, statement, [tenant, source, id]), (rows) => rows > 0)

  return {
    record: one("receive", text.record),
    find: one("find received", text.find),
    remove: one("forget received", text.remove),
    prune: (millis) => wholly(count("prune inbox", text.prune, [millis]))
  }
}
