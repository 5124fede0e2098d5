/** `StateStore` over one `jsonb` table with partial expression indexes. */
import { Effect, type Fiber, Option } from "effect"
import type { SqlClient } from "effect/sql"
import { type Collection, type QueryOptions, type Row, StateStore } from "../../StateStore.ts"
import { fieldOf, makeCodecs } from "../codec.ts"
import { check, type Checked, makeCursor } from "../query.ts"
import * as Tenant from "../../Tenant.ts"
import { isStorable } from "../text.ts"
import * as jsonb from "./jsonb.ts"
import { inTransaction, orUnavailable, retrying } from "./SqlFailure.ts"

interface StateRow {
  readonly id: string
  readonly version: unknown
  readonly data: string
}

/** Without data where there is no row. */
interface LockedRow extends Pick<StateRow, "version"> {
  readonly data: string | null
}

const overwrite = `on conflict (tenant, collection, id) do update
      set version = excluded.version, data = excluded.data, updated_at = excluded.updated_at`

/** How long a query waits for the writers that are in the way of a new index, before it goes on without. */
const patience = 250

export const make = (client: SqlClient.SqlClient, schema: string): StateStore["Service"] => {
  const sql = client.withoutTransforms()
  const retried = retrying(sql)
  const codecOf = makeCodecs()
  const indexed = new Set<string>()
  const text = {
    get:
      `select id, version, data::text as data from ${schema}.states where tenant = $1 and collection = $2 and id = $3`,
    put:
      `insert into ${schema}.states (tenant, collection, id, version, data) values ($1, $2, $3, $4::bigint, $5::jsonb)
      ${overwrite}`,
    remove: `delete from ${schema}.states where tenant = $1 and collection = $2 and id = $3`
  }

  /** Indexes can be missing only before a collection's first query. Inside a transaction it is not the moment to lock. */
  const ensured = (collection: { readonly name: string; readonly indexes: ReadonlyArray<string> }) =>
    indexed.has(collection.name) || collection.indexes.length === 0
      ? Effect.void
      : Effect.flatMap(
        inTransaction(sql),
        (open) =>
          open ? Effect.void : Effect.map(ensureIndexes(sql, schema, [collection], patience), (complete) => {
            if (complete) indexed.add(collection.name)
          })
      )

  return StateStore.of({
    get: <A, I>(collection: Collection<A, I>, id: string) =>
      Effect.withFiber((fiber) => {
        const tenant = fiber.getRef(Tenant.Current)
        if (!isStorable(id) || !isStorable(tenant)) return Effect.succeedNone
        return sql.unsafe<StateRow>(text.get, [tenant, collection.name, id]).pipe(
          orUnavailable("get"),
          Effect.flatMap(([row]) =>
            row === undefined
              ? Effect.succeed(Option.none<Row<A>>())
              : Effect.asSome(codecOf(collection).decode(stored(row)))
          )
        )
      }),
    put: <A, I>(collection: Collection<A, I>, row: Row<A>) =>
      Effect.withFiber((fiber) =>
        retried(sql.unsafe(text.put, valuesOf(fiber, collection, row, codecOf(collection).encode)))
      ).pipe(orUnavailable("put"), Effect.asVoid),
    remove: <A, I>(collection: Collection<A, I>, id: string) =>
      Effect.withFiber((fiber) => {
        const tenant = fiber.getRef(Tenant.Current)
        if (!isStorable(id) || !isStorable(tenant)) return Effect.void
        return retried(sql.unsafe(text.remove, [tenant, collection.name, id])).pipe(
          orUnavailable("remove"),
          Effect.asVoid
        )
      }),
    query: <A, I>(collection: Collection<A, I>, options?: QueryOptions) =>
      Effect.gen(function*() {
        const query = yield* Effect.fromResult(check(collection, options))
        yield* ensured(collection)
        const tenant = yield* Tenant.Current
        if (!isStorable(tenant)) return { rows: [], next: undefined }
        const statement = select(schema, tenant, collection.name, query)
        const found = yield* sql.unsafe<StateRow>(statement.text, statement.parameters).pipe(orUnavailable("query"))
        const page = found.slice(0, query.limit).map(stored)
        const last = page.at(-1)
        return {
          rows: yield* Effect.forEach(page, codecOf(collection).decode),
          next: last !== undefined && found.length > page.length
            ? makeCursor(query, {
              id: last.id,
              value: query.orderBy === undefined ? null : fieldOf(JSON.parse(last.data), query.orderBy)
            })
            : undefined
        }
      })
  })
}

/**
 * Rows for those who change what they have read: each belongs to the transaction from when it was first touched, and is
 * locked and read in one round trip.
 */
export const locking = (
  client: SqlClient.SqlClient,
  schema: string
): Pick<StateStore["Service"], "get" | "put" | "remove"> => {
  const sql = client.withoutTransforms()
  const codecOf = makeCodecs()
  const text = {
    get: `select version, data from ${schema}.lock_state($1, $2, $3)`,
    put: `insert into ${schema}.states (tenant, collection, id, version, data)
      select $1::text, $2::text, $3::text, $4::bigint, $5::jsonb from ${schema}.lock_state($1::text, $2::text, $3::text)
      ${overwrite}`,
    remove: `select ${schema}.remove_state($1, $2, $3)::text`
  }
  return {
    get: <A, I>(collection: Collection<A, I>, id: string) =>
      Effect.withFiber((fiber) => {
        const tenant = fiber.getRef(Tenant.Current)
        if (!isStorable(id) || !isStorable(tenant)) return Effect.succeedNone
        return sql.unsafe<LockedRow>(text.get, [tenant, collection.name, id]).pipe(
          orUnavailable("get"),
          Effect.flatMap(([row]) =>
            row === undefined || row.data === null
              ? Effect.succeed(Option.none<Row<A>>())
              : Effect.asSome(codecOf(collection).decode(stored({ id, version: row.version, data: row.data })))
          )
        )
      }),
    put: <A, I>(collection: Collection<A, I>, row: Row<A>) =>
      Effect.withFiber((fiber) => sql.unsafe(text.put, valuesOf(fiber, collection, row, codecOf(collection).encode)))
        .pipe(orUnavailable("put"), Effect.asVoid),
    remove: <A, I>(collection: Collection<A, I>, id: string) =>
      Effect.withFiber((fiber) => {
        const tenant = fiber.getRef(Tenant.Current)
        if (!isStorable(id) || !isStorable(tenant)) return Effect.void
        return sql.unsafe(text.remove, [tenant, collection.name, id]).pipe(orUnavailable("remove"), Effect.asVoid)
      })
  }
}

const valuesOf = <A>(
  fiber: Fiber.Fiber<unknown, unknown>,
  { name }: { readonly name: string },
  { id, state, version }: Row<A>,
  encode: (state: A) => unknown
): ReadonlyArray<unknown> => [fiber.getRef(Tenant.Current), name, id, version, jsonb.stringify(encode(state))]

/**
 * Makes the declared indexes of collections where they are missing. `false` when writers were in the way for longer than
 * `waitMillis`.
 */
export const ensureIndexes = (
  sql: SqlClient.SqlClient,
  schema: string,
  collections: ReadonlyArray<{ readonly name: string; readonly indexes: ReadonlyArray<string> }>,
  waitMillis: number
) =>
  Effect.gen(function*() {
    let complete = true
    for (const { indexes, name } of collections) {
      for (const field of indexes) {
        const [row] = yield* sql.unsafe<{ readonly ready: boolean }>(
          `select ${schema}.ensure_index($1, $2, $3::int) as ready`,
          [name, field, waitMillis]
        )
        complete &&= row?.ready === true
      }
    }
    return complete
  }).pipe(orUnavailable("ensureIndexes"))

const stored = (row: StateRow) => ({ id: row.id, version: Number(row.version), data: jsonb.restore(row.data) })

/**
 * Collection and fields stand in the text as literals: only then does a prepared statement match the partial expression
 * indexes. Both are the program's, not a caller's; all values are parameters.
 */
const select = (
  schema: string,
  tenant: string,
  collection: string,
  { after, descending, limit, orderBy, where }: Checked
) => {
  const parameters: Array<unknown> = []
  const parameter = (value: unknown): string => `$${parameters.push(value)}`
  const conditions = [`tenant = ${parameter(tenant)}`, `collection = ${literal(collection)}`]
  for (const [field, value] of where) {
    conditions.push(`${expression(field)} = ${parameter(jsonb.stringify(value))}::jsonb`)
  }
  const operator = descending ? "<" : ">"
  const direction = descending ? "desc" : "asc"
  if (after !== undefined && orderBy === undefined) conditions.push(`id ${operator} ${parameter(after.id)}`)
  if (after !== undefined && orderBy !== undefined) {
    const value = parameter(jsonb.stringify(after.value))
    conditions.push(`(${expression(orderBy)}, id) ${operator} (${value}::jsonb, ${parameter(after.id)})`)
  }
  const order = orderBy === undefined ? `id ${direction}` : `${expression(orderBy)} ${direction}, id ${direction}`
  return {
    text: `select id, version, data::text as data from ${schema}.states where ${
      conditions.join(" and ")
    } order by ${order} limit ${limit + 1}`,
    parameters
  }
}

/** As `ensure_index` indexes it: a field that is absent is `null`, so that it has a place in the order. */
const expression = (field: string): string => `coalesce(data -> ${literal(field)}, 'null'::jsonb)`

const literal = (text: string): string =>
  text.includes("\\") ? ` E'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'` : `'${text.replaceAll("'", "''")}'`
