/** All rows of a store, as of one moment, in pages. */
import { Clock, Effect } from "effect"
import { Digest } from "effect/crypto"
import type { SqlClient } from "effect/sql"
import type { Exported } from "../../Maintenance.ts"
import * as Migrations from "../../migrations/Migrations.ts"
import { sequences, type Table, tables } from "./catalog.ts"
import { type Content, format, makeWriter } from "./exportFormat.ts"
import { snapshot } from "./verification.ts"

type Row = Readonly<Record<string, string | null>>

/** What a page has at most, in characters and in rows; a row is never divided. */
const page = { characters: 1_000_000, rows: 1000 }

const sizeOf = (rows: ReadonlyArray<Row>): number =>
  rows.reduce((sum, row) => sum + Object.values(row).reduce((n, value) => n + (value?.length ?? 0), 0), 0)

/** The same text for the same value, whatever the session of this connection is used to. */
const settings = "set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; set local bytea_output = 'hex'; " +
  "set local intervalstyle = 'postgres'; set local extra_float_digits = 1"

export const exportRows = <E, R>(
  sql: SqlClient.SqlClient,
  schema: string,
  write: (lines: ReadonlyArray<string>) => Effect.Effect<void, E, R>
) =>
  snapshot(
    sql,
    Effect.gen(function*() {
      for (const setting of settings.split("; ")) yield* sql.unsafe(setting).unprepared
      const writer = yield* makeWriter
      const put = (contents: ReadonlyArray<Content>) => Effect.flatMap(writer.lines(contents), write)
      const at = new Date(yield* Clock.currentTimeMillis).toISOString()
      yield* put([{ store: { format, schema, migrations: Migrations.steps, at } }])
      const rows: Record<string, number> = {}
      for (const table of yield* tables(sql, schema)) {
        const columns = table.columns.map(({ name }) => `"${name}"::text as "${name}"`).join(", ")
        const key = table.key.map((name) => `t."${name}"`).join(", ")
        yield* sql.unsafe(
          `declare lifecycle_export no scroll cursor for select ${columns} from "${schema}"."${table.name}" t order by ${key}`
        ).unprepared
        rows[table.name] = yield* pages(sql, table, put)
        yield* sql.unsafe("close lifecycle_export").unprepared
      }
      // After the rows: what was given out meanwhile is not given out again.
      const counters = yield* sequences(sql, schema)
      const sha256 = yield* writer.total
      yield* put([{
        end: {
          rows,
          sequences: counters.map(({ called, column, last, table }) => ({ table, column, last: String(last), called })),
          sha256
        }
      }])
      const exported: Exported = { schema, rows, sha256 }
      return exported
    })
  ).pipe(Effect.provide(Digest.layerWebCrypto))

const pages = Effect.fnUntraced(function*<E, R>(
  sql: SqlClient.SqlClient,
  { name }: Table,
  put: (contents: ReadonlyArray<Content>) => Effect.Effect<void, E, R>
) {
  let count = 0
  let wanted = 50
  while (true) {
    const rows = yield* sql.unsafe<Row>(`fetch ${wanted} from lifecycle_export`).unprepared
    if (rows.length > 0) yield* put(rows.map((row) => ({ table: name, row })))
    count += rows.length
    if (rows.length < wanted) return count
    const fitting = Math.floor(page.characters * rows.length / Math.max(1, sizeOf(rows)))
    wanted = Math.max(1, Math.min(page.rows, fitting))
  }
})
