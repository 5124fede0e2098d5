/** Rows of events as they come from the tables, and the names of the streams that they are of. */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import type { StoredEvent } from "../../EventStore.ts"
import type { StoreUnavailable } from "../../UnitOfWork.ts"
import { orUnavailable } from "./SqlFailure.ts"

export interface EventRow {
  readonly position: unknown
  readonly version: unknown
  readonly event_id: string
  readonly type: string
  readonly schema_version: number
  readonly data: string
  readonly meta: string
  readonly at: Date | string
}

/** An event as `columns` names its values: a driver makes an object of each row, and then an event is one more. */
export type EventValues = readonly [
  position: unknown,
  version: unknown,
  id: string,
  type: string,
  schemaVersion: number,
  data: string,
  meta: string,
  at: Date | string,
  streamId?: unknown
]

interface NameRow {
  readonly id: unknown
  readonly tenant: string
  readonly category: string
  readonly name: string
}

/** So many streams are known by name at most. Which one an event is of never changes, and ids are not used again. */
const mostNames = 10_000

/** Versions and the numbers of streams are far below 2^53, and a float8 is a number in every driver. */
export const columns =
  "e.position, e.version::float8, e.event_id, e.type, e.schema_version, e.data::text, e.meta::text, e.at"

/**
 * Makes events of rows of any streams. To join the names of the streams to every row would cost more than all else about
 * it, so those that are not known are asked for. What is known is looked up at once: another reader may forget it.
 */
export const namer = (sql: SqlClient.SqlClient, schema: string) => {
  const names = new Map<number, StoredEvent["stream"]>()
  const text = `select id, tenant, category, name from ${schema}.streams where id = any($1::bigint[])`
  return (rows: ReadonlyArray<EventValues>): Effect.Effect<ReadonlyArray<StoredEvent>, StoreUnavailable> => {
    const missing = new Set<number>()
    const events = rows.map((row) => {
      const id = Number(row[8])
      const stream = names.get(id)
      if (stream === undefined) missing.add(id)
      return stream === undefined ? undefined : eventOfValues(row, stream)
    })
    // Then none of them is missing.
    if (missing.size === 0) return Effect.succeed(events as ReadonlyArray<StoredEvent>)
    return sql.unsafe<NameRow>(text, [Array.from(missing, BigInt)]).pipe(
      orUnavailable("readAll"),
      Effect.map((answer) => {
        const found = new Map(
          answer.map(({ category, id, name, tenant }) => [Number(id), { tenant, category, id: name }])
        )
        if (names.size + found.size > mostNames) names.clear()
        for (const [id, stream] of found) names.set(id, stream)
        return rows.map((row, index) => events[index] ?? eventOfValues(row, found.get(Number(row[8])) ?? nameless(row)))
      })
    )
  }
}

const nameless = ([position]: EventValues): never => {
  throw new Error(`The event at position ${String(position)} is of no stream: the tables have been changed`)
}

/** Drivers answer an int8 as a bigint, a number or a string. */
export const toBigInt = (value: unknown): bigint => typeof value === "bigint" ? value : BigInt(String(value))

export const eventOfValues = (row: EventValues, stream: StoredEvent["stream"]): StoredEvent => ({
  position: toBigInt(row[0]),
  stream,
  version: Number(row[1]),
  id: row[2],
  type: row[3],
  schemaVersion: row[4],
  data: JSON.parse(row[5]),
  meta: row[6] === "{}" ? {} : JSON.parse(row[6]),
  at: row[7] instanceof Date ? row[7] : new Date(row[7])
})

export const eventOf = (row: EventRow, stream: StoredEvent["stream"]): StoredEvent =>
  eventOfValues(
    [row.position, row.version, row.event_id, row.type, row.schema_version, row.data, row.meta, row.at],
    stream
  )
