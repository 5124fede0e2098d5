/** The versions of projections in PostgreSQL. */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import type { ProjectionBackend, VersionRow } from "../projection/ProjectionBackend.ts"
import { orUnavailable, retrying } from "./SqlFailure.ts"
import * as StateStorePg from "./StateStorePg.ts"

/** The locks are advisory: every append of an inline projection shares one, and a row cannot be shared for nothing. */
export const make = (
  client: SqlClient.SqlClient,
  schema: string,
  keeps: ProjectionBackend["keeps"]
): ProjectionBackend => {
  const sql = client.withoutTransforms()
  const retried = retrying(sql)
  const table = `${schema}.projections`
  const key = (name: string) =>
    `hashtextextended('effect-lifecycle/projection/${schema.replaceAll("'", "''")}/' || ${name}, 0)`
  const columns = "name, version, mode, status"
  const text = {
    share: `select pg_advisory_xact_lock_shared(${key("name")})::text from unnest($1::text[]) as name`,
    lock: `select pg_advisory_xact_lock(${key("name")})::text from unnest($1::text[]) as name`,
    // No name of a projection holds an `@`.
    together: `select pg_advisory_xact_lock_shared(${key("$1::text")})::text`,
    alone: `select pg_advisory_xact_lock(${key("$1::text")})::text`,
    list: `select ${columns} from ${table} where name = any($1::text[]) order by name, version`,
    find: `select ${columns} from ${table} where name = $1 and version = $2::int`,
    live: `select ${columns} from ${table} where name = $1 and status = 'live'`,
    register: `insert into ${table} as p (name, version, mode, status) values ($1, $2::int, $3, 'building')
      on conflict (name, version) do update set mode = excluded.mode where p.status = 'building'`,
    setStatus: `update ${table} set status = $3,
        live_at = case when $3 = 'live' then clock_timestamp() else live_at end,
        retired_at = case when $3 = 'retired' then clock_timestamp() else retired_at end
      where name = $1 and version = $2::int`,
    clear: `delete from ${schema}.states where collection = $1`,
    remove: `delete from ${table} where name = $1 and version = $2::int`
  }
  const query = (operation: string, statement: string, parameters: ReadonlyArray<unknown>) =>
    retried(sql.unsafe<VersionRow>(statement, parameters)).pipe(orUnavailable(operation))
  const done = (operation: string, statement: string, parameters: ReadonlyArray<unknown>) =>
    Effect.asVoid(query(operation, statement, parameters))
  return {
    rows: StateStorePg.locking(client, schema),
    keeps,
    // In order, so that two appends cannot wait for each other.
    share: (names) => done("share projections", text.share, [names.toSorted()]),
    lock: (names) => done("lock projections", text.lock, [names.toSorted()]),
    turn: (collection, how) => done("take a turn", text[how], [collection]),
    list: (names) => query("list projections", text.list, [names]),
    find: (name, version) => Effect.map(query("find projection", text.find, [name, version]), ([row]) => row),
    live: (name) => Effect.map(query("find live projection", text.live, [name]), ([row]) => row),
    register: (name, version, mode) => done("register projection", text.register, [name, version, mode]),
    setStatus: (name, version, status) => done("change projection", text.setStatus, [name, version, status]),
    remove: (name, version, collection) =>
      Effect.andThen(
        done("clear projection", text.clear, [collection]),
        done("remove projection", text.remove, [name, version])
      )
  }
}
