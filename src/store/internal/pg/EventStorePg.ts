/**
 * `EventStore` over PostgreSQL: an append is one statement, a conflict is a row of its answer.
 *
 * The function `append` decides every case. Of a call of it a fifth is the call; so the append that an aggregate makes, of
 * one event to a stream of a known version, is sent as a plain statement. That one writes all or nothing, and where it
 * writes nothing the function is asked, which sees what is committed by then.
 */
import { Effect, Exit, Option, Stream } from "effect"
import type { SqlClient } from "effect/sql"
import {
  type Appended,
  type AppendResult,
  EventStore,
  type Expectation,
  InvalidAppend,
  type ReadAllOptions,
  StreamArchived
} from "../../EventStore.ts"
import type { StoreUnavailable } from "../../UnitOfWork.ts"
import {
  fullStream,
  idTaken,
  isPossible,
  limitOf,
  prepare,
  type Prepared,
  prepareOne,
  refused,
  tenantsOf,
  windowOf
} from "../appends.ts"
import { isStorable } from "../text.ts"
import * as Coalescer from "./Coalescer.ts"
import { columns, eventOfValues, type EventValues, namer, toBigInt } from "./eventRows.ts"
import { inShare } from "./share.ts"
import { isInTransaction, isUndone, orUnavailable, retrying, translate } from "./SqlFailure.ts"

/** As the functions of the migrations answer. */
export interface ResultRow {
  readonly outcome: number
  readonly first_version: unknown
  readonly last_version: unknown
  readonly last_position: unknown
}

/** The same for many appends, by their places. */
interface ResultArrays {
  readonly outcomes: ReadonlyArray<number>
  readonly first_versions: ReadonlyArray<unknown>
  readonly last_versions: ReadonlyArray<unknown>
  readonly last_positions: ReadonlyArray<unknown>
}

/** Of a stream of a thousand events one statement reads all. */
const pageSize = 1024

/** An append of more events outweighs its commit: it gains nothing from company, and would hold the others up. */
const mostShared = 32

/** The highest position there can be. */
const lastPosition = 2n ** 63n - 1n

/** `appended` is called after the commit of an append that wrote something. */
export const make = Effect.fnUntraced(function*(
  client: SqlClient.SqlClient,
  schema: string,
  appended: () => void,
  coalesce: Coalescer.Options | undefined
) {
  const sql = client.withoutTransforms()
  const afterCommit = sql.afterCommit(Effect.sync(appended))
  const told = (result: AppendResult, open: boolean): Effect.Effect<void> =>
    !wrote(result) ? Effect.void : open ? afterCommit : Effect.sync(appended)
  const retried = retrying(sql)
  const text = textOf(schema)

  const decided = (prepared: Prepared) =>
    Effect.flatMap(
      retried(sql.unsafe<ResultRow>(text.append, [
        ...nameOf(prepared),
        codeOf(prepared.expect),
        prepared.commandId ?? null,
        prepared.given,
        ...eventArrays(prepared.events)
      ])),
      ([row]): Coalescer.Answer => row === undefined ? noAnswer : answerOf(prepared, row)
    )

  /** As `append` does it, for one event of the store's own id; no row where the version is another one. */
  const usual = (prepared: Prepared) => {
    const { commandId, events: [event], expect, given } = prepared
    if (event === undefined || prepared.events.length > 1 || commandId !== undefined || given > 0) return undefined
    const { data, id, meta, schemaVersion, type } = event
    const values = [...nameOf(prepared), id, type, schemaVersion, data, meta]
    if (expect === "noStream" || expect === 0) return sql.unsafe<ResultRow>(text.first, values)
    return typeof expect === "number" ? sql.unsafe<ResultRow>(text.next, [...values, expect]) : undefined
  }

  const one = (prepared: Prepared) => {
    const statement = usual(prepared)
    return orUnavailable("append")(
      statement === undefined ? decided(prepared) : Effect.flatMap(
        retried(statement),
        ([row]) => row === undefined ? decided(prepared) : Effect.succeed(appendedOf(row))
      )
    )
  }
  const appendOne = (prepared: Prepared, open: boolean) => Effect.tap(one(prepared), (result) => told(result, open))

  const appendMany = (prepared: ReadonlyArray<Prepared>, open: boolean) =>
    retried(sql.unsafe<ResultRow>(text.appendAll, [
      ...appendArrays(prepared),
      ...eventArrays(prepared.flatMap(({ events }) => events))
    ])).pipe(
      orUnavailable("appendAll"),
      Effect.flatMap((rows) => batchOf(prepared, rows)),
      Effect.tap((results) => {
        const written = results.find(wrote)
        return written === undefined ? Effect.void : told(written, open)
      })
    )

  const together = (prepared: ReadonlyArray<Prepared>) =>
    Effect.map(
      retried(sql.unsafe<ResultArrays>(text.appendEach, [
        ...appendArrays(prepared),
        ...placeArrays(prepared),
        ...eventArrays(prepared.flatMap(({ events }) => events))
      ])),
      ([rows]) => {
        if (rows?.outcomes.includes(0) === true) appended()
        return prepared.map((one, index) => rows === undefined ? noAnswer : answerOf(one, rowOf(rows, index)))
      }
    )

  const coalescer = coalesce === undefined ? undefined : yield* Coalescer.make({
    together,
    alone: (prepared) => appendOne(prepared, false),
    failed: (cause) => Exit.failCause(translate("append", cause)),
    isUndone: (cause) => isUndone("append", cause)
  }, coalesce)

  const named = namer(sql, schema)

  const page = (statement: string, parameters: ReadonlyArray<unknown>, limit: number) =>
    Effect.map(
      orUnavailable("read")(sql.unsafe(statement, [...parameters, Math.min(limit, pageSize)]).values),
      // What a statement answers is known by its columns only.
      (rows) => rows as unknown as ReadonlyArray<EventValues>
    )

  const readAll = (options: ReadAllOptions | undefined, tenants: ReadonlyArray<string> | undefined) => {
    const { after = 0n, categories, share, types, upTo = lastPosition } = options ?? {}
    const limit = limitOf(options?.limit)
    if (limit === 0 || upTo <= after || types?.length === 0 || categories?.length === 0 || tenants?.length === 0) {
      return Stream.empty
    }
    const { parameters, statement } = text.all({ types, categories, tenants }, share)
    return Stream.paginate(
      { after, left: limit },
      ({ after, left }) =>
        Effect.flatMap(
          page(statement, [after, upTo, ...parameters], left),
          (rows) =>
            Effect.map(named(rows), (events) => {
              const last = events.at(-1)
              const more = rows.length === pageSize && left > pageSize
              return [
                events,
                last !== undefined && more
                  ? Option.some({ after: last.position, left: left - pageSize })
                  : Option.none()
              ] as const
            })
        )
    )
  }

  return EventStore.of({
    append: (append) =>
      Effect.withFiber<AppendResult, InvalidAppend | StreamArchived | StoreUnavailable>((fiber) => {
        const open = isInTransaction(sql, fiber)
        if (coalescer !== undefined && !open && append.events.length <= mostShared) {
          return coalescer.append(() => prepareOne(append, fiber))
        }
        const prepared = prepareOne(append, fiber)
        return prepared instanceof InvalidAppend ? Effect.fail(prepared) : appendOne(prepared, open)
      }),
    appendAll: (appends) =>
      Effect.withFiber((fiber) =>
        Effect.flatMap(
          prepare(appends),
          (prepared) => prepared.length === 0 ? Effect.succeed([]) : appendMany(prepared, isInTransaction(sql, fiber))
        )
      ),
    read: (stream, options) => {
      const { backwards, from, limit } = windowOf(options)
      if (limit === 0) return Stream.empty
      return Stream.unwrap(Effect.withFiber((fiber) => {
        const name = fullStream(stream, fiber)
        const { category, id, tenant } = name
        if (!isPossible(name)) return Effect.succeed(Stream.empty)
        return Effect.succeed(Stream.paginate(
          { from, left: limit },
          ({ from, left }) =>
            Effect.map(page(backwards ? text.backwards : text.forwards, [tenant, category, id, from], left), (rows) => {
              const events = rows.map((row) => eventOfValues(row, name))
              const last = events.at(-1)
              const more = rows.length === pageSize && left > pageSize
              return [
                events,
                last !== undefined && more
                  ? Option.some({ from: backwards ? last.version - 1 : last.version + 1, left: left - pageSize })
                  : Option.none()
              ] as const
            })
        ))
      }))
    },
    readAll: (options) =>
      Stream.unwrap(Effect.withFiber((fiber) => Effect.succeed(readAll(options, tenantsOf(options, fiber))))),
    version: (stream) =>
      Effect.withFiber((fiber) => {
        const { category, id, tenant } = fullStream(stream, fiber)
        if (!isPossible({ category, id, tenant })) return Effect.succeed(0)
        return sql.unsafe<{ readonly version: unknown }>(text.version, [tenant, category, id]).pipe(
          orUnavailable("version"),
          Effect.map(([row]) => row === undefined ? 0 : Number(row.version))
        )
      }),
    findAppend: (stream, commandId) =>
      Effect.withFiber((fiber) => {
        const { category, id, tenant } = fullStream(stream, fiber)
        if (!isPossible({ category, id, tenant }) || !isStorable(commandId)) return Effect.succeedNone
        return sql.unsafe<ResultRow>(text.findAppend, [tenant, category, id, commandId]).pipe(
          orUnavailable("findAppend"),
          Effect.map(([row]) => row === undefined ? Option.none() : Option.some(appendedOf(row)))
        )
      })
  })
})

const textOf = (schema: string) => {
  /** One event for the stream that `taken` gives, if it gives one, after it has been locked. */
  const into = (taken: string): string =>
    `with taken as (${taken} returning id, version, clock_timestamp() as at)
      insert into ${schema}.events as e (stream_id, version, event_id, type, schema_version, data, meta, at, checksum)
      select t.id, t.version, $4::uuid, $5, $6::int, $7::json, $8::json, t.at,
        ${schema}.event_checksum(t.id, t.version, $4::uuid, $5, $6::int, $7::text, $8::text, t.at)
      from taken t
      returning 0 as outcome, e.version as first_version, e.version as last_version, e.position as last_position`
  const streamId = `(select id from ${schema}.streams where tenant = $1 and category = $2 and name = $3)`
  return {
    append: `select outcome, first_version, last_version, last_position from ${schema}.append(
      $1, $2, $3, $4::bigint, $5, $6::int, $7::text[], $8::text[], $9::int[], $10::text[], $11::text[])`,
    first: into(`insert into ${schema}.streams (tenant, category, name, version) values ($1, $2, $3, 1)
      on conflict (tenant, category, name) do nothing`),
    next: into(`update ${schema}.streams s set version = s.version + 1
      where s.tenant = $1 and s.category = $2 and s.name = $3 and s.version = $9::bigint and s.archived_at is null`),
    appendEach: `select outcomes, first_versions, last_versions, last_positions from ${schema}.append_each(
      $1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::int[], $7::int[], $8::int[], $9::int[],
      $10::text[], $11::text[], $12::int[], $13::text[], $14::text[])`,
    appendAll: `select outcome, first_version, last_version, last_position from ${schema}.append_all(
      $1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::int[], $7::int[],
      $8::text[], $9::text[], $10::int[], $11::text[], $12::text[]) order by append_index`,
    forwards: `select ${columns} from ${schema}.events e
      where e.stream_id = ${streamId} and e.version >= $4::bigint order by e.version limit $5`,
    backwards: `select ${columns} from ${schema}.events e
      where e.stream_id = ${streamId} and e.version <= $4::bigint order by e.version desc limit $5`,
    /** A condition for each filter that is given, so that the plan is that of the question asked. */
    all: (
      filters: Readonly<Record<"types" | "categories" | "tenants", ReadonlyArray<string> | undefined>>,
      share: ReadAllOptions["share"]
    ) => {
      const parameters: Array<ReadonlyArray<string>> = []
      const filtered = filters.categories !== undefined || filters.tenants !== undefined
      let conditions = "e.position > $1::bigint and e.position <= $2::bigint"
      if (share !== undefined) conditions += ` and ${inShare("e.stream_id", share)}`
      for (
        const [column, values] of [
          ["e.type", filters.types],
          ["s.category", filters.categories],
          ["s.tenant", filters.tenants]
        ] as const
      ) {
        if (values !== undefined) {
          conditions += ` and ${column} = any($${parameters.push(values.filter(isStorable)) + 2}::text[])`
        }
      }
      return {
        parameters,
        statement: `select ${columns}, e.stream_id::float8
          from ${schema}.events e${filtered ? ` join ${schema}.streams s on s.id = e.stream_id` : ""}
          where ${conditions} order by e.position limit $${parameters.length + 3}`
      }
    },
    version: `select version from ${schema}.streams where tenant = $1 and category = $2 and name = $3`,
    findAppend: `select 1 as outcome, first_version, version as last_version, position as last_position
      from ${schema}.appends where stream_id = ${streamId} and command_id = $4`
  }
}

/** `append_all` stops at the first conflict: its row says what the stream was then, the others what their stream still is. */
const batchOf = (
  prepared: ReadonlyArray<Prepared>,
  rows: ReadonlyArray<ResultRow>
): Effect.Effect<ReadonlyArray<AppendResult>, InvalidAppend | StreamArchived> => {
  const blamed = rows.findIndex(({ outcome }) => outcome === 2 || outcome === 4 || outcome === 5)
  const row = rows[blamed]
  const append = prepared[blamed]
  if (row === undefined || append === undefined) return Effect.succeed(rows.map(appendedOf))
  if (row.outcome === 4) return Effect.fail(takenOf(append, row))
  if (row.outcome === 5) return Effect.fail(archivedOf(append))
  return Effect.succeed(refused(
    prepared,
    { index: blamed, actual: Number(row.last_version) },
    (index) => rows[index]?.outcome === 1 ? appendedOf(rows[index]) : undefined,
    (index) => Number(rows[index]?.last_version ?? 0)
  ))
}

const noAnswer = Exit.die(new Error("append answered without a row: the functions of the schema have been changed"))

export const codeOf = (expect: Expectation): number =>
  expect === "any" ? -1 : expect === "streamExists" ? -2 : expect === "noStream" ? 0 : expect

const nameOf = ({ stream }: Prepared): ReadonlyArray<string> => [stream.tenant, stream.category, stream.id]

export const eventArrays = (events: Prepared["events"]): ReadonlyArray<unknown> => [
  events.map(({ id }) => id),
  events.map(({ type }) => type),
  events.map(({ schemaVersion }) => schemaVersion),
  events.map(({ data }) => data),
  events.map(({ meta }) => meta)
]

const appendArrays = (appends: ReadonlyArray<Prepared>): ReadonlyArray<unknown> => [
  appends.map(({ stream }) => stream.tenant),
  appends.map(({ stream }) => stream.category),
  appends.map(({ stream }) => stream.id),
  appends.map(({ expect }) => BigInt(codeOf(expect))),
  appends.map(({ commandId }) => commandId ?? ""),
  appends.map(({ given }) => given),
  appends.map(({ events }) => events.length)
]

/** How many events of the statement come before those of an append, and which append each event is of, from 1. */
const placeArrays = (appends: ReadonlyArray<Prepared>): ReadonlyArray<ReadonlyArray<number>> => {
  const befores: Array<number> = []
  const owners: Array<number> = []
  for (const { events } of appends) {
    befores.push(owners.length)
    for (let left = events.length; left > 0; left--) owners.push(befores.length)
  }
  return [befores, owners]
}

const rowOf = (rows: ResultArrays, index: number): ResultRow => ({
  outcome: rows.outcomes[index] ?? -1,
  first_version: rows.first_versions[index],
  last_version: rows.last_versions[index],
  last_position: rows.last_positions[index]
})

export const answerOf = (append: Prepared, row: ResultRow): Coalescer.Answer =>
  row.outcome === 4
    ? Exit.fail(takenOf(append, row))
    : row.outcome === 5
    ? Exit.fail(archivedOf(append))
    : Exit.succeed(
      row.outcome === 2
        ? { _tag: "Conflict", expected: append.expect, actual: Number(row.last_version) }
        : appendedOf(row)
    )

const archivedOf = ({ stream }: Prepared): StreamArchived =>
  new StreamArchived({ category: stream.category, id: stream.id })

const takenOf = (append: Prepared, row: ResultRow): InvalidAppend =>
  idTaken(append, Number(row.first_version) - 1, Number(row.last_version))

const wrote = (result: AppendResult): boolean => result._tag === "Appended" && !result.replayed

const appendedOf = (row: ResultRow): Appended => ({
  _tag: "Appended",
  firstVersion: Number(row.first_version),
  version: Number(row.last_version),
  position: toBigInt(row.last_position),
  replayed: row.outcome === 1
})
