/** Reads an export into a schema that has no tables: all of it, or nothing. */
import { Effect, Result, Schema, Stream } from "effect"
import { Digest } from "effect/crypto"
import type { SqlClient } from "effect/sql"
import { InvalidExport, SchemaNotEmpty } from "../exportErrors.ts"
import type { Imported } from "../../Maintenance.ts"
import * as Migrations from "../../migrations/Migrations.ts"
import { sequences, type Table, tables } from "./catalog.ts"
import { End, format, Header, makeSum, Row, split, type Sum } from "./exportFormat.ts"
import { unavailable } from "./SqlFailure.ts"

/** What one statement inserts at most, in characters and in rows. */
const page = { characters: 1_000_000, rows: 1000 }

const decodeHeader = Schema.decodeUnknownResult(Header)
const decodeRow = Schema.decodeUnknownResult(Row)
const decodeEnd = Schema.decodeUnknownResult(End)

const parse = (text: string): unknown => {
  try {
    return JSON.parse(`${text}}`)
  } catch {
    return undefined
  }
}

const invalid = (line: number, problem: string) => new InvalidExport({ line, problem })

/** The steps an export was made after; the steps of this version begin with them. */
const stepsOf = ({ store: { format: given, migrations } }: typeof Header["Type"]) => {
  if (given !== format) return invalid(1, `it has the format ${given}, and this version reads ${format}`)
  const strange = migrations.find(({ id, name }, index) => {
    const known = Migrations.steps[index]
    return known?.id !== id || known.name !== name
  })
  return strange === undefined && migrations.length > 0
    ? migrations
    : invalid(
      1,
      `it comes from another version of effect-lifecycle (step ${strange?.id ?? 0}); import it with that version`
    )
}

/** The rows come as one JSON array, in which every column is text. */
const insertion = (schema: string, { columns, name }: Table): string =>
  `insert into "${schema}"."${name}" (${columns.map((column) => `"${column.name}"`).join(", ")}) overriding system value
  select ${columns.map((column) => `u."${column.name}"::${column.type}`).join(", ")}
  from json_to_recordset($1::text::json) as u (${columns.map((column) => `"${column.name}" text`).join(", ")})`

const makeReader = Effect.fnUntraced(function*(sql: SqlClient.SqlClient, schema: string, sum: Sum, above: bigint) {
  let known = new Map<string, Table>()
  let line = 0
  let ended: { readonly line: number; readonly end: typeof End["Type"]["end"] } | undefined
  let total: string | undefined
  let batch:
    | { readonly table: Table; readonly from: number; readonly rows: Array<typeof Row["Type"]["row"]> }
    | undefined
  let characters = 0
  const counts: Record<string, number> = {}

  const flush = Effect.gen(function*() {
    if (batch === undefined) return
    const { from, rows, table } = batch
    batch = undefined
    characters = 0
    yield* sql.unsafe(insertion(schema, table), [JSON.stringify(rows)]).unprepared.pipe(
      Effect.mapError((error) => {
        if (unavailable("import", error) !== undefined) return error
        const reason = error.reason.cause instanceof Error ? error.reason.cause.message : error.message
        return invalid(from, `it, or one of the ${rows.length - 1} lines after it, cannot be stored: ${reason}`)
      })
    )
    counts[table.name] = (counts[table.name] ?? 0) + rows.length
  })

  const begin = Effect.fnUntraced(function*(value: unknown) {
    const header = decodeHeader(value)
    if (Result.isFailure(header)) return yield* invalid(1, "it is not the beginning of an export")
    const steps = stepsOf(header.success)
    if (steps instanceof InvalidExport) return yield* steps
    yield* Migrations.run(sql, schema, steps.at(-1)?.id)
    known = new Map((yield* tables(sql, schema)).map((table) => [table.name, table]))
  })

  const take = Effect.fnUntraced(function*(text: string, n: number) {
    const value = parse(text)
    if (n === 1) return yield* begin(value)
    const row = decodeRow(value)
    if (Result.isSuccess(row)) {
      const table = known.get(row.success.table)
      if (table === undefined) return yield* invalid(n, `there is no table "${row.success.table}"`)
      const names = Object.keys(row.success.row)
      if (
        names.length !== table.columns.length || table.columns.some(({ name }) => !Object.hasOwn(row.success.row, name))
      ) {
        return yield* invalid(n, `it does not have the columns of the table "${table.name}"`)
      }
      if (batch?.table !== table) yield* flush
      batch ??= { table, from: n, rows: [] }
      batch.rows.push(row.success.row)
      characters += text.length
      return batch.rows.length >= page.rows || characters >= page.characters ? yield* flush : undefined
    }
    const end = decodeEnd(value)
    if (Result.isFailure(end)) return yield* invalid(n, "it is neither a row nor the end of an export")
    yield* flush
    ended = { line: n, end: end.success.end }
  })

  return {
    lines: Effect.fnUntraced(function*(lines: ReadonlyArray<string>) {
      const parts = yield* Effect.forEach(lines, (text, index) => {
        const found = split(text)
        return found === undefined
          ? Effect.fail(
            invalid(line + index + 1, "it has no checksum: it was cut off, changed, or is no line of an export")
          )
          : Effect.map(sum.sha256(found.text), (right) => ({ ...found, right: right === found.sum }))
      }, { concurrency: 64 })
      for (const { right, sum: own, text } of parts) {
        const n = ++line
        if (!right) return yield* invalid(n, "its checksum does not fit: it was changed or damaged")
        if (ended !== undefined) return yield* invalid(n, "it comes after the end")
        if (!text.startsWith(`{"n":${n},`)) {
          return yield* invalid(n, "it is out of order: lines were left out, added or moved")
        }
        yield* take(text, n)
        // The last line is not part of what it sums up.
        if (ended === undefined) yield* sum.add([own])
        else total = yield* sum.total
      }
    }),
    finish: Effect.gen(function*() {
      if (ended === undefined || total === undefined) {
        return yield* invalid(line, "it is the last one, but not the end: the file was cut off")
      }
      const { end: { rows, sequences: counters, sha256 }, line: last } = ended
      if (sha256 !== total) return yield* invalid(last, "the checksum of the whole does not fit: lines were changed")
      for (const [name, count] of Object.entries(rows)) {
        if ((counts[name] ?? 0) !== count) {
          return yield* invalid(last, `it says ${count} rows of "${name}", and there were ${counts[name] ?? 0}`)
        }
      }
      for (const { column, name, table } of yield* sequences(sql, schema)) {
        const counter = counters.find((one) => one.table === table && one.column === column)
        if (counter === undefined) return yield* invalid(last, `it does not say where ${table}.${column} has come to`)
        const raised = table === "events" && column === "position" && above > BigInt(counter.last)
        yield* sql.unsafe("select setval($1::text::regclass, $2::text::bigint, $3::text::boolean)", [
          `"${schema}"."${name}"`,
          raised ? String(above) : counter.last,
          String(raised || counter.called)
        ])
      }
      return { schema, rows: counts, sha256 } satisfies Imported
    })
  }
})

export const importRows = <E, R>(
  sql: SqlClient.SqlClient,
  schema: string,
  lines: Stream.Stream<string, E, R>,
  { above = 0n, sha256: expected }: { readonly above?: bigint | undefined; readonly sha256?: string | undefined }
) =>
  sql.withTransaction(Effect.gen(function*() {
    const [found] = yield* sql.unsafe<{ readonly n: number }>(
      `select count(*)::int as n from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1`,
      [schema]
    )
    if (found !== undefined && found.n > 0) return yield* new SchemaNotEmpty({ schema })
    const reader = yield* makeReader(sql, schema, yield* makeSum, above)
    yield* Stream.runForEachArray(lines, reader.lines)
    const imported = yield* reader.finish
    if (expected !== undefined && expected !== imported.sha256) {
      return yield* invalid(0, `its checksum is ${imported.sha256} and not ${expected}: it is another export`)
    }
    yield* Migrations.run(sql, schema)
    return imported
  })).pipe(Effect.provide(Digest.layerWebCrypto))
