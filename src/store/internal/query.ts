/** Checks queries of a collection, and makes and reads their cursors. */
import { Result } from "effect"
import { Base64Url } from "effect/encoding"
import { type Collection, InvalidQuery, type QueryOptions } from "../StateStore.ts"
import { isStorable } from "./text.ts"

export type Scalar = string | number | boolean

export interface After {
  /** The value of the field that orders, as JSON; `null` when rows are ordered by id. */
  readonly value: unknown
  readonly id: string
}

export interface Checked {
  readonly where: ReadonlyArray<readonly [field: string, value: Scalar]>
  readonly orderBy: string | undefined
  readonly descending: boolean
  readonly limit: number
  readonly after: After | undefined
}

export const check = <A, I>(
  collection: Collection<A, I>,
  options: QueryOptions = {}
): Result.Result<Checked, InvalidQuery> => {
  const fail = (field: string, reason: string) =>
    Result.fail(new InvalidQuery({ collection: collection.name, field, reason }))
  const declared = collection.indexes.length === 0 ? "it has no indexes" : `indexed: ${collection.indexes.join(", ")}`
  const where: Array<readonly [string, Scalar]> = []
  for (const [field, value] of Object.entries(options.where ?? {})) {
    if (!collection.indexes.includes(field)) return fail(field, `cannot be filtered by (${declared})`)
    if (!isScalar(value)) return fail(field, "must be compared with a string, a finite number or a boolean")
    where.push([field, value])
  }
  const { cursor, direction = "ascending", limit = 25, orderBy } = options
  if (orderBy !== undefined && !collection.indexes.includes(orderBy)) {
    return fail(orderBy, `cannot be sorted by (${declared})`)
  }
  if (direction !== "ascending" && direction !== "descending") {
    return fail("direction", `must be "ascending" or "descending"`)
  }
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    return fail("limit", "must be a whole number from 1 to 1000")
  }
  const checked = { where, orderBy, descending: direction === "descending", limit }
  if (cursor === undefined) return Result.succeed({ ...checked, after: undefined })
  const after = readCursor(cursor, checked)
  return after === undefined
    ? fail("cursor", "is not one that this query has given; start again without it")
    : Result.succeed({ ...checked, after })
}

/** Opaque to callers: order, direction, and where the page ended. */
export const makeCursor = (query: Pick<Checked, "orderBy" | "descending">, after: After): string =>
  Base64Url.encode(JSON.stringify([query.orderBy ?? null, query.descending, after.value, after.id]))

const readCursor = (cursor: string, query: Pick<Checked, "orderBy" | "descending">): After | undefined => {
  const text = typeof cursor === "string" ? Base64Url.decodeString(cursor) : Result.fail(undefined)
  if (Result.isFailure(text)) return undefined
  let parsed: unknown
  try {
    parsed = JSON.parse(text.success)
  } catch {
    return undefined
  }
  if (!Array.isArray(parsed) || parsed.length !== 4) return undefined
  const [orderBy, descending, value, id]: Array<unknown> = parsed
  const fits = orderBy === (query.orderBy ?? null) && descending === query.descending &&
    (query.orderBy !== undefined || value === null)
  return fits && typeof id === "string" && isStorable(id) ? { value, id } : undefined
}

const isScalar = (value: unknown): value is Scalar =>
  typeof value === "string" || typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value))
