/** `EventStore` over PostgreSQL: an append is one statement, a conflict is a row of its answer. */
import { Effect, Option, Stream } from "effect"
import type { SqlClient } from "effect/sql"
import {
  type Appended,
  type AppendResult,
  EventStore,
  type Expectation,
  InvalidAppend,
  type StoredEvent
} from "../../EventStore.ts"
import { fullStream, isPossible, limitOf, prepare, type Prepared, prepareOne, refused, windowOf } from "../appends.ts"
import { isStorable } from "../text.ts"
import { inTransaction, orUnavailable, retrying } from "./SqlFailure.ts"

/** As the functions of the migrations answer. */
interface ResultRow {
  readonly outcome: number
  readonly first_version: unknown
  readonly last_version: unknown
  readonly last_position: unknown
}

interface EventRow {
  readonly position: unknown
  readonly version: unknown
  readonly event_id: string
  readonly type: string
  readonly schema_version: number
  readonly data: string
  readonly meta: string
  readonly at: Date | string
}

interface EventOfAnyRow extends EventRow {
  readonly tenant: string
  readonly category: string
  readonly name: string
}

const pageSize = 500

/** The highest position there can be. */
const lastPosition = 2n ** 63n - 1n

/** `appended` is called after the commit of an append that wrote something. */
export const make = (
  client: SqlClient.SqlClient,
  schema: string,
  appended: () => void
): EventStore["Service"] => {
  const sql = client.withoutTransforms()
  const isOpen = inTransaction(sql)
  const afterCommit = sql.afterCommit(Effect.sync(appended))
  const told = (result: AppendResult): Effect.Effect<void> => {
    if (result._tag === "Conflict" || result.replayed) return Effect.void
    return Effect.flatMap(isOpen, (open) => open ? afterCommit : Effect.sync(appended))
  }
  const retried = retrying(sql)
  const columns =
    "e.position, e.version, e.event_id, e.type, e.schema_version, e.data::text as data, e.meta::text as meta, e.at"
  const streamId = `(select id from ${schema}.streams where tenant = $1 and category = $2 and name = $3)`
  const text = {
    append: `select outcome, first_version, last_version, last_position from ${schema}.append(
      $1, $2, $3, $4::bigint, $5, $6::text[], $7::text[], $8::int[], $9::text[], $10::text[])`,
    appendAll: `select outcome, first_version, last_version, last_position from ${schema}.append_all(
      $1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::int[],
      $7::text[], $8::text[], $9::int[], $10::text[], $11::text[]) order by append_index`,
    forwards: `select ${columns} from ${schema}.events e
      where e.stream_id = ${streamId} and e.version >= $4::bigint order by e.version limit $5`,
    backwards: `select ${columns} from ${schema}.events e
      where e.stream_id = ${streamId} and e.version <= $4::bigint order by e.version desc limit $5`,
    all: `select ${columns}, s.tenant, s.category, s.name
      from ${schema}.events e join ${schema}.streams s on s.id = e.stream_id
      where e.position > $1::bigint and e.position <= $2::bigint order by e.position limit $3`,
    filtered: `select ${columns}, s.tenant, s.category, s.name
      from ${schema}.events e join ${schema}.streams s on s.id = e.stream_id
      where e.position > $1::bigint and e.position <= $2::bigint
        and ($3::text[] is null or e.type = any($3)) and ($4::text[] is null or s.category = any($4))
      order by e.position limit $5`,
    version: `select version from ${schema}.streams where tenant = $1 and category = $2 and name = $3`,
    findAppend: `select 1 as outcome, first_version, version as last_version, position as last_position
      from ${schema}.appends where stream_id = ${streamId} and command_id = $4`
  }

  const appendOne = ({ commandId, events, expect, stream }: Prepared) =>
    retried(sql.unsafe<ResultRow>(text.append, [
      stream.tenant,
      stream.category,
      stream.id,
      codeOf(expect),
      commandId ?? null,
      ...eventArrays(events)
    ])).pipe(
      orUnavailable("append"),
      Effect.flatMap(([row]) => {
        if (row === undefined) return noAnswer
        const result = resultOf(expect, row)
        return Effect.as(told(result), result)
      })
    )

  const appendMany = (prepared: ReadonlyArray<Prepared>) =>
    retried(sql.unsafe<ResultRow>(text.appendAll, [
      prepared.map(({ stream }) => stream.tenant),
      prepared.map(({ stream }) => stream.category),
      prepared.map(({ stream }) => stream.id),
      prepared.map(({ expect }) => BigInt(codeOf(expect))),
      prepared.map(({ commandId }) => commandId ?? ""),
      prepared.map(({ events }) => events.length),
      ...eventArrays(prepared.flatMap(({ events }) => events))
    ])).pipe(
      orUnavailable("appendAll"),
      Effect.map((rows) => batchOf(prepared, rows)),
      Effect.tap((results) => {
        const written = results.find((result) => result._tag === "Appended" && !result.replayed)
        return written === undefined ? Effect.void : told(written)
      })
    )

  const page = <Row extends EventRow>(statement: string, parameters: ReadonlyArray<unknown>, limit: number) =>
    sql.unsafe<Row>(statement, [...parameters, Math.min(limit, pageSize)]).pipe(orUnavailable("read"))

  return EventStore.of({
    append: (append) =>
      Effect.withFiber<AppendResult, InvalidAppend | Effect.Error<ReturnType<typeof appendOne>>>((fiber) => {
        const prepared = prepareOne(append, fiber)
        return prepared instanceof InvalidAppend ? Effect.fail(prepared) : appendOne(prepared)
      }),
    appendAll: (appends) =>
      Effect.flatMap(prepare(appends), (prepared) => prepared.length === 0 ? Effect.succeed([]) : appendMany(prepared)),
    read: (stream, options) => {
      const { backwards, from, limit } = windowOf(options)
      const name = fullStream(stream)
      const { category, id, tenant } = name
      if (limit === 0 || !isPossible(name)) return Stream.empty
      return Stream.paginate(
        { from, left: limit },
        ({ from, left }) =>
          Effect.map(page(backwards ? text.backwards : text.forwards, [tenant, category, id, from], left), (rows) => {
            const events = rows.map((row) => eventOf(row, name))
            const last = events.at(-1)
            const more = rows.length === pageSize && left > pageSize
            return [
              events,
              last !== undefined && more
                ? Option.some({ from: backwards ? last.version - 1 : last.version + 1, left: left - pageSize })
                : Option.none()
            ] as const
          })
      )
    },
    readAll: (options) => {
      const { after = 0n, categories, types, upTo = lastPosition } = options ?? {}
      const limit = limitOf(options?.limit)
      if (limit === 0 || upTo <= after || types?.length === 0 || categories?.length === 0) return Stream.empty
      const filter = types === undefined && categories === undefined
        ? undefined
        : [types?.filter(isStorable) ?? null, categories?.filter(isStorable) ?? null]
      const next = (from: bigint, left: number) =>
        filter === undefined
          ? page<EventOfAnyRow>(text.all, [from, upTo], left)
          : page<EventOfAnyRow>(text.filtered, [from, upTo, ...filter], left)
      return Stream.paginate(
        { after, left: limit },
        ({ after, left }) =>
          Effect.map(next(after, left), (rows) => {
            const events = rows.map((row) => eventOf(row, { tenant: row.tenant, category: row.category, id: row.name }))
            const last = events.at(-1)
            const more = rows.length === pageSize && left > pageSize
            return [
              events,
              last !== undefined && more ? Option.some({ after: last.position, left: left - pageSize }) : Option.none()
            ] as const
          })
      )
    },
    version: (stream) => {
      const { category, id, tenant } = fullStream(stream)
      if (!isPossible({ category, id, tenant })) return Effect.succeed(0)
      return sql.unsafe<{ readonly version: unknown }>(text.version, [tenant, category, id]).pipe(
        orUnavailable("version"),
        Effect.map(([row]) => row === undefined ? 0 : Number(row.version))
      )
    },
    findAppend: (stream, commandId) => {
      const { category, id, tenant } = fullStream(stream)
      if (!isPossible({ category, id, tenant }) || !isStorable(commandId)) return Effect.succeedNone
      return sql.unsafe<ResultRow>(text.findAppend, [tenant, category, id, commandId]).pipe(
        orUnavailable("findAppend"),
        Effect.map(([row]) => row === undefined ? Option.none() : Option.some(appendedOf(row)))
      )
    }
  })
}

/** `append_all` stops at the first conflict: its row says what the stream was then, the others what their stream still is. */
const batchOf = (prepared: ReadonlyArray<Prepared>, rows: ReadonlyArray<ResultRow>): ReadonlyArray<AppendResult> => {
  const blamed = rows.findIndex(({ outcome }) => outcome === 2)
  const conflict = rows[blamed]
  if (conflict === undefined) {
    return rows.map((row) => appendedOf(row))
  }
  return refused(
    prepared,
    { index: blamed, actual: Number(conflict.last_version) },
    (index) => rows[index]?.outcome === 1 ? appendedOf(rows[index]) : undefined,
    (index) => Number(rows[index]?.last_version ?? 0)
  )
}

const noAnswer = Effect.die(new Error("append answered without a row: the functions of the schema have been changed"))

const codeOf = (expect: Expectation): number =>
  expect === "any" ? -1 : expect === "streamExists" ? -2 : expect === "noStream" ? 0 : expect

const eventArrays = (events: Prepared["events"]): ReadonlyArray<unknown> => [
  events.map(({ id }) => id),
  events.map(({ type }) => type),
  events.map(({ schemaVersion }) => schemaVersion),
  events.map(({ data }) => data),
  events.map(({ meta }) => meta)
]

const resultOf = (expected: Expectation, row: ResultRow): AppendResult =>
  row.outcome === 2 ? { _tag: "Conflict", expected, actual: Number(row.last_version) } : appendedOf(row)

const appendedOf = (row: ResultRow): Appended => ({
  _tag: "Appended",
  firstVersion: Number(row.first_version),
  version: Number(row.last_version),
  position: toBigInt(row.last_position),
  replayed: row.outcome === 1
})

/** Drivers answer an int8 as a bigint, a number or a string. */
const toBigInt = (value: unknown): bigint => typeof value === "bigint" ? value : BigInt(String(value))

const eventOf = (row: EventRow, stream: StoredEvent["stream"]): StoredEvent => ({
  position: toBigInt(row.position),
  stream,
  version: Number(row.version),
  id: row.event_id,
  type: row.type,
  schemaVersion: row.schema_version,
  data: JSON.parse(row.data),
  meta: JSON.parse(row.meta),
  at: new Date(row.at)
})
