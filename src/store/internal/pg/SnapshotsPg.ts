/** `Snapshots` over one table; a row names its stream by number. */
import { Effect, Option } from "effect"
import type { SqlClient } from "effect/sql"
import { type Key, type Snapshot, Snapshots } from "../../Snapshots.ts"
import { fullStream } from "../appends.ts"
import type { Background } from "../background.ts"
import { isStorable } from "../text.ts"
import { orUnavailable, retrying } from "./SqlFailure.ts"

interface Row {
  readonly version: unknown
  readonly position: unknown
  readonly data: string
}

export const make = (
  client: SqlClient.SqlClient,
  schema: string,
  background: Background
): Snapshots["Service"] => {
  const sql = client.withoutTransforms()
  const retried = retrying(sql)
  const stream = `(select id from ${schema}.streams where tenant = $1 and category = $2 and name = $3)`
  const text = {
    find: `select version, position, data::text as data from ${schema}.snapshots
      where stream_id = ${stream} and aggregate = $4 and fingerprint = $5`,
    save: `insert into ${schema}.snapshots as n (stream_id, aggregate, fingerprint, version, position, data)
      select s.id, $4, $5, $6::bigint, $7::bigint, $8::json from ${schema}.streams s
        where s.tenant = $1 and s.category = $2 and s.name = $3
      on conflict (stream_id, aggregate, fingerprint) do update
        set version = excluded.version, position = excluded.position, data = excluded.data, at = clock_timestamp()
        where n.version < excluded.version
      returning 1 as saved`,
    remove: `delete from ${schema}.snapshots where stream_id = ${stream} returning 1 as removed`,
    prune:
      `delete from ${schema}.snapshots where aggregate = $1 and fingerprint <> all($2::text[]) returning 1 as removed`
  }
  const named = <A, E>(
    key: Pick<Key, "stream">,
    none: A,
    use: (names: ReadonlyArray<string>) => Effect.Effect<A, E>
  ): Effect.Effect<A, E> =>
    Effect.withFiber((fiber) => {
      const { category, id, tenant } = fullStream(key.stream, fiber)
      const names = [tenant, category, id]
      return names.every(isStorable) ? use(names) : Effect.succeed(none)
    })

  return Snapshots.of({
    find: (key) =>
      named(
        key,
        Option.none<Snapshot>(),
        (names) =>
          sql.unsafe<Row>(text.find, [...names, key.aggregate, key.fingerprint]).pipe(
            orUnavailable("find snapshot"),
            Effect.map(([row]) =>
              row === undefined ? Option.none() : Option.some({
                version: Number(row.version),
                position: BigInt(String(row.position)),
                data: JSON.parse(row.data)
              })
            )
          )
      ),
    save: (key, { data, position, version }) =>
      named(key, false, (names) =>
        retried(
          sql.unsafe(text.save, [...names, key.aggregate, key.fingerprint, version, position, JSON.stringify(data)])
        ).pipe(orUnavailable("save snapshot"), Effect.map((rows) => rows.length > 0))),
    remove: (stream) =>
      named({ stream }, 0, (names) =>
        retried(sql.unsafe(text.remove, names)).pipe(
          orUnavailable("remove snapshots"),
          Effect.map((rows) => rows.length)
        )),
    prune: (aggregate, keep) =>
      retried(sql.unsafe(text.prune, [aggregate, keep])).pipe(
        orUnavailable("prune snapshots"),
        Effect.map((rows) => rows.length)
      ),
    background: background.run,
    settled: background.settled
  })
}
