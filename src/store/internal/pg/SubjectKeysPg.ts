/** `SubjectKeys` over PostgreSQL. */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import { type SubjectKey, SubjectKeys } from "../../SubjectKeys.ts"
import { isStorable } from "../text.ts"
import { orUnavailable, retrying } from "./SqlFailure.ts"

interface Row {
  readonly tenant: string
  readonly subject: string
  readonly wrapped: string | null
  readonly master_key: string | null
  readonly shredded_at: Date | string | null
}

interface StreamRow {
  readonly category: string
  readonly name: string
}

export const make = (client: SqlClient.SqlClient, schema: string): SubjectKeys["Service"] => {
  const sql = client.withoutTransforms()
  const retried = retrying(sql)
  const columns = "tenant, subject, wrapped, master_key, shredded_at"
  const text = {
    find: `select ${columns} from ${schema}.subject_keys where tenant = $1 and subject = any($2::text[])`,
    // Waits for a transaction that is making the same row, and then finds what it has made.
    create: `insert into ${schema}.subject_keys (tenant, subject, wrapped, master_key) values ($1, $2, $3, $4)
      on conflict (tenant, subject) do nothing`,
    // Where there is no row one is made, so that nobody can make a key afterwards.
    shred: `with before as (
        select 1 from ${schema}.subject_keys where tenant = $1 and subject = $2 and wrapped is not null for update
      ), tombstone as (
        insert into ${schema}.subject_keys as k (tenant, subject, shredded_at) values ($1, $2, clock_timestamp())
        on conflict (tenant, subject) do update
          set wrapped = null, master_key = null, shredded_at = coalesce(k.shredded_at, excluded.shredded_at)
      )
      select count(*)::int as erased from before`,
    note: `insert into ${schema}.subject_streams (tenant, category, name, subject)
      select $1, $2, $3, subject from unnest($4::text[]) as t (subject) order by subject
      on conflict (tenant, subject, category, name) do nothing`,
    streams: `select category, name from ${schema}.subject_streams where tenant = $1 and subject = $2
      order by category, name`,
    wrappedBy: `select ${columns} from ${schema}.subject_keys
      where wrapped is not null and master_key = any($1::text[]) order by tenant, subject limit $2`,
    rewrap: `update ${schema}.subject_keys set wrapped = $3, master_key = $4
      where tenant = $1 and subject = $2 and wrapped = $5 returning 1 as done`
  }
  const find = (tenant: string, subjects: ReadonlyArray<string>) =>
    sql.unsafe<Row>(text.find, [tenant, subjects.filter(isStorable)]).pipe(
      orUnavailable("find keys"),
      Effect.map((rows) => rows.map(keyOf))
    )
  return SubjectKeys.of({
    find,
    create: ({ masterKey, subject, tenant, wrapped }) =>
      retried(sql.unsafe(text.create, [tenant, subject, wrapped, masterKey])).pipe(
        orUnavailable("create key"),
        Effect.andThen(find(tenant, [subject])),
        Effect.flatMap(([row]) =>
          row === undefined
            ? Effect.die(new Error(`the key of subject "${subject}" was removed by hand`))
            : Effect.succeed(row)
        )
      ),
    shred: (tenant, subject) =>
      retried(sql.unsafe<{ readonly erased: number }>(text.shred, [tenant, subject])).pipe(
        orUnavailable("shred"),
        Effect.map(([row]) => row?.erased === 1)
      ),
    note: ({ category, id, tenant }, subjects) =>
      retried(sql.unsafe(text.note, [tenant, category, id, subjects])).pipe(
        orUnavailable("note subjects"),
        Effect.asVoid
      ),
    streams: (tenant, subject) =>
      sql.unsafe<StreamRow>(text.streams, [tenant, subject]).pipe(
        orUnavailable("streams of a subject"),
        Effect.map((rows) => rows.map(({ category, name }) => ({ tenant, category, id: name })))
      ),
    wrappedBy: (masterKeys, limit) =>
      sql.unsafe<Row>(text.wrappedBy, [masterKeys, limit]).pipe(
        orUnavailable("find keys"),
        Effect.map((rows) => rows.map(keyOf))
      ),
    rewrap: ({ masterKey, subject, tenant, wrapped }, before) =>
      retried(sql.unsafe(text.rewrap, [tenant, subject, wrapped, masterKey, before])).pipe(
        orUnavailable("rewrap key"),
        Effect.map((rows) => rows.length > 0)
      )
  })
}

const keyOf = (row: Row): SubjectKey => ({
  tenant: row.tenant,
  subject: row.subject,
  wrapped: row.wrapped ?? undefined,
  masterKey: row.master_key ?? undefined,
  shreddedAt: row.shredded_at === null ? undefined : new Date(row.shredded_at)
})
