/** Looks at the whole store in one snapshot, while others write. */
import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import type { Fault, Report } from "../../Maintenance.ts"
import { type Sequence, sequences } from "./catalog.ts"
import { checks } from "./checks.ts"

interface FaultRow {
  readonly tenant: string | null
  readonly category: string | null
  readonly name: string | null
  readonly version: unknown
  readonly position: unknown
  readonly event_id: string | null
  readonly problem: string
}

const faultOf = (check: string, row: FaultRow): Fault => ({
  check,
  problem: row.problem,
  stream: row.category === null || row.name === null
    ? undefined
    : { tenant: row.tenant ?? "", category: row.category, id: row.name },
  version: row.version === null ? undefined : Number(row.version),
  position: row.position === null ? undefined : BigInt(String(row.position)),
  eventId: row.event_id ?? undefined
})

const plainFault = (check: string, problem: string): Fault => ({
  check,
  problem,
  stream: undefined,
  version: undefined,
  position: undefined,
  eventId: undefined
})

/** What is wrong with a sequence: `highest` is what its column has used. */
const problemsOf = (sequence: Sequence, highest: bigint): ReadonlyArray<string> => {
  const { cache, called, column, increment, last, name, table } = sequence
  const next = called ? last + BigInt(increment) : last
  return [
    ...(next > highest ? [] : [
      `the sequence ${name} goes on with ${next}, but ${table}.${column} has come to ${highest}: numbers will be given out again`
    ]),
    ...(increment === 1 ? [] : [`the sequence ${name} counts by ${increment} instead of 1`]),
    ...(cache === 1 ? [] : [
      `the sequence ${name} has a cache of ${cache} instead of 1: positions would not rise inside a stream`
    ])
  ]
}

export const snapshot = <A, E, R>(
  sql: SqlClient.SqlClient,
  use: Effect.Effect<A, E, R>
): Effect.Effect<A, E | SqlError.SqlError, R> =>
  sql.withTransaction(
    Effect.andThen(
      sql.unsafe("set transaction isolation level repeatable read, read only").unprepared,
      use
    )
  )

export const verify = (sql: SqlClient.SqlClient, schema: string, most: number) =>
  snapshot(
    sql,
    Effect.gen(function*() {
      const quoted = `"${schema}"`
      const faults: Array<Fault> = []
      const done: Array<Report["checks"][number]> = []
      for (const { about, name, query } of checks) {
        const rows = yield* sql.unsafe<FaultRow>(`${query(quoted)}\nlimit ${most + 1}`).unprepared
        faults.push(...rows.slice(0, most).map((row) => faultOf(name, row)))
        done.push({ name, about, faults: Math.min(rows.length, most), more: rows.length > most })
      }
      const counting: Array<Fault> = []
      for (const sequence of yield* sequences(sql, schema)) {
        const [row] = yield* sql.unsafe<{ readonly highest: string }>(
          `select coalesce(max("${sequence.column}"), 0)::text as highest from ${quoted}."${sequence.table}"`
        )
        counting.push(
          ...problemsOf(sequence, BigInt(row?.highest ?? 0)).map((problem) => plainFault("sequences", problem))
        )
      }
      const [size] = yield* sql.unsafe<{ readonly streams: string; readonly events: string }>(
        `select (select count(*) from ${quoted}.streams)::text as streams, count(*)::text as events
          from ${quoted}.events`
      )
      const report: Report = {
        schema,
        streams: Number(size?.streams),
        events: Number(size?.events),
        checks: [
          ...done,
          { name: "sequences", about: "no number is given out twice", faults: counting.length, more: false }
        ],
        faults: [...faults, ...counting]
      }
      return report
    })
  )
