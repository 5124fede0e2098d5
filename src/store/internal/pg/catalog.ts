/** What a schema holds, as the server says: no list of tables to forget a table in. */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql"

export interface Column {
  readonly name: string
  readonly type: string
}

export interface Table {
  readonly name: string
  readonly columns: ReadonlyArray<Column>
  readonly key: ReadonlyArray<string>
}

export interface Sequence {
  readonly name: string
  readonly table: string
  readonly column: string
  readonly cache: number
  readonly increment: number
  readonly last: bigint
  readonly called: boolean
}

interface TableRow {
  readonly name: string
  readonly columns: ReadonlyArray<Column>
  readonly key: ReadonlyArray<string> | null
  readonly needs: ReadonlyArray<string>
}

interface SequenceRow {
  readonly name: string
  readonly table: string
  readonly column: string
  readonly cache: unknown
  readonly increment: unknown
}

/** The table of what has been migrated is about the others, and is made by migrating. */
const bookkeeping = "migrations"

/** The tables with rows of the store, each after those it refers to. `schema` is the bare name. */
export const tables = Effect.fnUntraced(function*(sql: SqlClient.SqlClient, schema: string) {
  const rows = yield* sql.unsafe<TableRow>(
    `select t.relname::text as name,
      (select json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod))
          order by a.attnum)
        from pg_attribute a where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
      ) as columns,
      (select json_agg(a.attname order by k.place)
        from pg_index i cross join unnest(i.indkey::int[]) with ordinality as k (attnum, place)
        join pg_attribute a on a.attrelid = t.oid and a.attnum = k.attnum
        where i.indrelid = t.oid and i.indisprimary) as key,
      array(select f.relname::text from pg_constraint c join pg_class f on f.oid = c.confrelid
        where c.conrelid = t.oid and c.contype = 'f' and c.confrelid <> t.oid) as needs
    from pg_class t join pg_namespace n on n.oid = t.relnamespace
    where n.nspname = $1 and t.relkind = 'r' and t.relname <> '${bookkeeping}' order by t.relname`,
    [schema]
  )
  const ordered: Array<Table> = []
  let left: ReadonlyArray<TableRow> = rows
  while (left.length > 0) {
    const waiting = left.filter(({ needs }) => needs.some((need) => left.some(({ name }) => name === need)))
    for (const { columns, key, name } of left.filter((row) => !waiting.includes(row))) {
      ordered.push({ name, columns, key: key ?? columns.map((column) => column.name) })
    }
    if (waiting.length === left.length) {
      return yield* Effect.die(new Error(`the tables ${left.map(({ name }) => name).join(", ")} refer to each other`))
    }
    left = waiting
  }
  return ordered
})

/** The sequences that columns of these tables count by, and where they stand: read them after the rows. */
export const sequences = Effect.fnUntraced(function*(sql: SqlClient.SqlClient, schema: string) {
  const rows = yield* sql.unsafe<SequenceRow>(
    `select q.relname::text as name, t.relname::text as table, a.attname::text as column,
      p.seqcache as cache, p.seqincrement as increment
    from pg_depend d
    join pg_class q on q.oid = d.objid and q.relkind = 'S'
    join pg_sequence p on p.seqrelid = q.oid
    join pg_class t on t.oid = d.refobjid
    join pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid
    join pg_namespace n on n.oid = q.relnamespace
    where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
      and n.nspname = $1 order by q.relname`,
    [schema]
  )
  return yield* Effect.forEach(rows, (row) =>
    Effect.map(
      sql.unsafe<{ readonly last: string; readonly called: boolean }>(
        `select last_value::text as last, is_called as called from "${schema}"."${row.name}"`
      ),
      ([found]): Sequence => ({
        name: row.name,
        table: row.table,
        column: row.column,
        cache: Number(row.cache),
        increment: Number(row.increment),
        last: BigInt(found?.last ?? 0),
        called: found?.called ?? false
      })
    ))
})
