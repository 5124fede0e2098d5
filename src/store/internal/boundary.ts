/** `DynamicConsistencyBoundary` over any backend: checks queries, and makes and reads what `after` says. */
import { Effect, type Fiber, Result } from "effect"
import { Base64Url } from "effect/encoding"
import {
  type After,
  type Append,
  type Condition,
  DynamicConsistencyBoundary,
  InvalidBoundary,
  type Query
} from "../DynamicConsistencyBoundary.ts"
import { InvalidAppend, type StreamId } from "../EventStore.ts"
import * as Tenant from "../Tenant.ts"
import { prepareOne } from "./appends.ts"
import type { BoundaryBackend, Item, KnownItem } from "./BoundaryBackend.ts"
import { compareText, isStorable } from "./text.ts"
import { uuid } from "./uuid.ts"

const longest = 255
/** Tags of one item or event, and items of one query. */
const most = 100

export const make = (backend: BoundaryBackend): DynamicConsistencyBoundary["Service"] =>
  DynamicConsistencyBoundary.of({
    read: (query) =>
      Effect.gen(function*() {
        const items = yield* Effect.fromResult(itemsOf(query, "query"))
        const { bounds, events } = yield* backend.read(yield* Tenant.Current, items)
        return { events, after: afterOf(items, bounds) }
      }),
    append: (append) =>
      Effect.gen(function*() {
        const items = append.condition === undefined ? [] : yield* Effect.fromResult(knownItems(append.condition))
        const tags = yield* Effect.fromResult(tagsOf(append))
        const prepared = yield* Effect.withFiber((fiber) => {
          const { commandId, events, expect = "any" } = append
          return Effect.succeed(prepareOne({ stream: streamOf(append, fiber), expect, events, commandId }, fiber))
        })
        if (prepared instanceof InvalidAppend) return yield* prepared
        return yield* backend.append(prepared, tags, items)
      })
  })

/** Where the events go; a repetition must find the stream of the first time. */
export const streamOf = (
  { commandId, events, stream }: Append,
  fiber: Fiber.Fiber<unknown, unknown>
): Omit<StreamId, "tenant"> =>
  stream === undefined
    ? { category: "Boundary", id: commandId ?? events[0]?.id ?? uuid(fiber) }
    : { category: stream.category, id: stream.id }

const invalid = (field: string, reason: string): Result.Result<never, InvalidBoundary> =>
  Result.fail(new InvalidBoundary({ field, reason }))

const itemsOf = (query: Query, field: string): Result.Result<ReadonlyArray<Item>, InvalidBoundary> => {
  if (query.length === 0) return invalid(field, "has no items; it would match nothing")
  if (query.length > most) return invalid(field, `has more than ${most} items`)
  const items: Array<Item> = []
  for (const [index, { tags, types }] of query.entries()) {
    const at = `${field}[${index}]`
    if (tags.length === 0) {
      return invalid(
        `${at}.tags`,
        "is empty; by types alone a decision can miss an event that is being written, so give the events a tag for it"
      )
    }
    if (types?.length === 0) return invalid(`${at}.types`, "is empty; it would match nothing")
    const problem = namesProblem(`${at}.tags`, tags) ?? namesProblem(`${at}.types`, types ?? [])
    if (problem !== undefined) return problem
    items.push({ tags: sorted(tags), types: types === undefined ? undefined : sorted(types) })
  }
  return Result.succeed(items)
}

const knownItems = ({ after, query }: Condition): Result.Result<ReadonlyArray<KnownItem>, InvalidBoundary> => {
  const items = itemsOf(query, "condition.query")
  if (Result.isFailure(items)) return Result.fail(items.failure)
  if (after === undefined) return Result.succeed(items.success.map((item) => ({ ...item, after: 0n })))
  const seen = seenOf(after)
  if (seen === undefined) return invalid("condition.after", "is not one that a read has answered")
  const known: Array<KnownItem> = []
  for (const [index, item] of items.success.entries()) {
    const position = seen.get(keyOf(item))
    if (position === undefined) {
      return invalid(`condition.query[${index}]`, "is not an item of the query that was read")
    }
    known.push({ ...item, after: position })
  }
  return Result.succeed(known)
}

const tagsOf = ({ events }: Append): Result.Result<ReadonlyArray<ReadonlyArray<string>>, InvalidBoundary> => {
  for (const [index, { tags }] of events.entries()) {
    const problem = namesProblem(`events[${index}].tags`, tags)
    if (problem !== undefined) return problem
  }
  return Result.succeed(events.map(({ tags }) => sorted(tags)))
}

const namesProblem = (
  field: string,
  names: ReadonlyArray<string>
): Result.Result<never, InvalidBoundary> | undefined => {
  if (names.length > most) return invalid(field, `has more than ${most} entries`)
  for (const [index, name] of names.entries()) {
    if (name === "") return invalid(`${field}[${index}]`, "is empty")
    if (name.length > longest) return invalid(`${field}[${index}]`, `is longer than ${longest} characters`)
    if (!isStorable(name)) return invalid(`${field}[${index}]`, "holds a character that cannot be stored")
  }
  return undefined
}

const sorted = (names: ReadonlyArray<string>): ReadonlyArray<string> => [...new Set(names)].toSorted(compareText)

const keyOf = ({ tags, types }: Item): string => JSON.stringify([tags, types ?? null])

/** Opaque to callers: each item of the query, and how far it was seen. */
const afterOf = (items: ReadonlyArray<Item>, bounds: ReadonlyArray<bigint>): After =>
  Base64Url.encode(JSON.stringify(items.map((item, index) => [keyOf(item), String(bounds[index] ?? 0n)])))

const seenOf = (after: After): ReadonlyMap<string, bigint> | undefined => {
  const text = typeof after === "string" ? Base64Url.decodeString(after) : Result.fail(undefined)
  if (Result.isFailure(text)) return undefined
  let parsed: unknown
  try {
    parsed = JSON.parse(text.success)
  } catch {
    return undefined
  }
  if (!Array.isArray(parsed)) return undefined
  const seen = new Map<string, bigint>()
  for (const entry of parsed) {
    if (!Array.isArray(entry)) return undefined
    const [key, position]: Array<unknown> = entry
    if (typeof key !== "string" || typeof position !== "string" || !/^\d{1,19}$/.test(position)) return undefined
    seen.set(key, BigInt(position))
  }
  return seen
}
