/** Checks appends and brings them into the form that every layer stores. */
import { Effect, type Fiber } from "effect"
import {
  type Append,
  type Appended,
  type AppendResult,
  type Expectation,
  InvalidAppend,
  type NewEvent,
  type ReadAllOptions,
  type ReadOptions,
  type StoredEvent,
  type StreamId
} from "../EventStore.ts"
import * as EventMeta from "../EventMeta.ts"
import * as Tenant from "../Tenant.ts"
import { isStorable } from "./text.ts"
import { isUuid, uuid } from "./uuid.ts"

export interface PreparedEvent {
  readonly id: string
  readonly type: string
  readonly schemaVersion: number
  /** JSON text. */
  readonly data: string
  /** JSON text. */
  readonly meta: string
}

export interface Prepared {
  readonly stream: StoredEvent["stream"]
  readonly expect: Expectation
  readonly commandId: string | undefined
  readonly events: ReadonlyArray<PreparedEvent>
  /** How many of the events came with an id; those may have been stored before. */
  readonly given: number
}

/** Index entries of PostgreSQL end at about 2700 bytes; a character takes up to 4. */
const longest = { tenant: 128, category: 128, id: 255, commandId: 255, type: 255 }

/** Characters of JSON. PostgreSQL takes a gigabyte, and a process that reads a page of such events ends. */
const largest = 2 ** 25

/** The stream with its tenant: its own, or else the ambient one. */
export const fullStream = (stream: StreamId, fiber: Fiber.Fiber<unknown, unknown>): StoredEvent["stream"] => ({
  tenant: stream.tenant ?? fiber.getRef(Tenant.Current),
  category: stream.category,
  id: stream.id
})

/** Whose events are asked for; all when `undefined`. */
export const tenantsOf = (
  options: ReadAllOptions | undefined,
  fiber: Fiber.Fiber<unknown, unknown>
): ReadonlyArray<string> | undefined =>
  options?.tenants === "all" ? undefined : options?.tenants ?? [fiber.getRef(Tenant.Current)]

/** Whether a stream with this name can exist at all. */
export const isPossible = (stream: StoredEvent["stream"]): boolean =>
  isStorable(stream.tenant) && isStorable(stream.category) && isStorable(stream.id)

/** Whether a stream at `version` is what the writer believed it to be. */
export const holds = (expect: Expectation, version: number): boolean =>
  expect === "any" ||
  (expect === "noStream" ? version === 0 : expect === "streamExists" ? version > 0 : version === expect)

export const prepare = (appends: ReadonlyArray<Append>): Effect.Effect<ReadonlyArray<Prepared>, InvalidAppend> =>
  Effect.withFiber((fiber) => {
    const prepared: Array<Prepared> = []
    for (const append of appends) {
      const one = prepareOne(append, fiber)
      if (one instanceof InvalidAppend) return Effect.fail(one)
      prepared.push(one)
    }
    return Effect.succeed(prepared)
  })

export const prepareOne = (append: Append, fiber: Fiber.Fiber<unknown, unknown>): Prepared | InvalidAppend => {
  const stream = fullStream(append.stream, fiber)
  const prepared = prepareFor(stream, append, fiber)
  return prepared instanceof InvalidAppend ? named(prepared, stream, append.events) : prepared
}

/** What was refused, with the stream and the event that it was for. */
const named = (
  { field, reason }: InvalidAppend,
  stream: StoredEvent["stream"],
  events: ReadonlyArray<{ readonly type: string }>
): InvalidAppend => {
  const index = /^events\[(\d+)\]/.exec(field)?.[1]
  const type = index === undefined ? undefined : events[Number(index)]?.type
  return new InvalidAppend({ field, reason, stream, ...type === undefined ? {} : { type } })
}

const prepareFor = (
  stream: StoredEvent["stream"],
  append: Append,
  fiber: Fiber.Fiber<unknown, unknown>
): Prepared | InvalidAppend => {
  const problem = (stream.tenant === "" ? undefined : nameProblem("stream.tenant", stream.tenant, longest.tenant)) ??
    nameProblem("stream.category", stream.category, longest.category) ??
    nameProblem("stream.id", stream.id, longest.id) ??
    (append.commandId === undefined ? undefined : nameProblem("commandId", append.commandId, longest.commandId)) ??
    expectationProblem(append.expect) ??
    (append.events.length === 0 ? invalid("events", "is empty; an append writes at least one event") : undefined)
  if (problem !== undefined) return problem
  const ambient = EventMeta.currentOf(fiber)
  const ambientText = jsonText(ambient)
  const events: Array<PreparedEvent> = []
  const given = new Set<string>()
  for (const [index, event] of append.events.entries()) {
    const prepared = prepareEvent(event, index, ambient, ambientText, fiber)
    if (prepared instanceof InvalidAppend) return prepared
    if (event.id !== undefined) {
      if (given.has(prepared.id)) return invalid(`events[${index}].id`, `is that of an event before it (${event.id})`)
      given.add(prepared.id)
    }
    events.push(prepared)
  }
  return { stream, expect: append.expect, commandId: append.commandId, events, given: given.size }
}

const prepareEvent = (
  event: NewEvent,
  index: number,
  ambient: Readonly<Record<string, string>>,
  ambientText: string | undefined,
  fiber: Fiber.Fiber<unknown, unknown>
): PreparedEvent | InvalidAppend => {
  const refuse = (field: string, reason: string) => invalid(`events[${index}].${field}`, reason)
  const schemaVersion = event.schemaVersion ?? 1
  if (event.id !== undefined && !isUuid(event.id)) return refuse("id", "is not a UUID")
  const name = nameProblem("type", event.type, longest.type)
  if (name !== undefined) return refuse(name.field, name.reason)
  if (!Number.isInteger(schemaVersion) || schemaVersion < 1 || schemaVersion > 0x7fffffff) {
    return refuse("schemaVersion", "is not a whole number from 1")
  }
  const data = jsonText(event.data)
  if (data === undefined) return refuse("data", "is not a JSON value")
  if (data.length > largest) {
    return refuse("data", `is ${data.length} characters of JSON, more than ${largest}; store its address instead`)
  }
  if (event.meta !== undefined && !isRecordOfStrings(event.meta)) return refuse("meta", "is not a record of strings")
  const meta = event.meta === undefined ? ambientText : jsonText({ ...ambient, ...event.meta })
  if (meta === undefined) return refuse("meta", "is not a record of strings")
  return { id: event.id?.toLowerCase() ?? uuid(fiber), type: event.type, schemaVersion, data, meta }
}

/** An append that brings an id which its stream has at another place, or whose other events are not there. */
export const idTaken = (
  { events, stream }: Prepared,
  index: number,
  version: number
): InvalidAppend =>
  named(
    invalid(
      `events[${index}].id`,
      `is taken: ${
        events[index]?.id ?? "the event"
      } is version ${version} of ${stream.category} ${stream.id}, and this append is no repetition of the one that stored it`
    ),
    stream,
    events
  )

/**
 * The results of a batch that `blamed` stopped: an append that had happened before keeps its result, every other one is
 * a conflict with the version its stream still has.
 */
export const refused = (
  prepared: ReadonlyArray<Prepared>,
  blamed: { readonly index: number; readonly actual: number },
  replay: (index: number) => Appended | undefined,
  version: (index: number) => number
): ReadonlyArray<AppendResult> =>
  prepared.map(({ expect }, index) =>
    index === blamed.index
      ? { _tag: "Conflict", expected: expect, actual: blamed.actual }
      : replay(index) ?? { _tag: "Conflict", expected: expect, actual: version(index) }
  )

export interface Window {
  readonly from: number
  readonly limit: number
  readonly backwards: boolean
}

export const windowOf = (options: ReadOptions | undefined): Window => {
  const backwards = options?.direction === "backwards"
  const from = options?.from ?? (backwards ? Number.MAX_SAFE_INTEGER : 1)
  return {
    backwards,
    from: Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, backwards ? Math.floor(from) : Math.ceil(from))),
    limit: limitOf(options?.limit)
  }
}

/** How many to read; all when absent. */
export const limitOf = (limit: number | undefined): number =>
  limit === undefined ? Number.POSITIVE_INFINITY : limit >= 1 ? Math.floor(limit) : 0

const invalid = (field: string, reason: string): InvalidAppend => new InvalidAppend({ field, reason })

const nameProblem = (field: string, name: string, longest: number): InvalidAppend | undefined => {
  if (name === "") return invalid(field, "is empty")
  if (name.length > longest) return invalid(field, `is longer than ${longest} characters`)
  return isStorable(name) ? undefined : invalid(field, "holds a character that cannot be stored")
}

const expectationProblem = (expect: Expectation): InvalidAppend | undefined =>
  expect === "any" || expect === "noStream" || expect === "streamExists" ||
    (Number.isSafeInteger(expect) && expect >= 0)
    ? undefined
    : invalid("expect", "is neither a version, a whole number from 0, nor \"any\", \"noStream\" or \"streamExists\"")

const isRecordOfStrings = (meta: object): boolean => {
  if (meta === null || typeof meta !== "object" || Array.isArray(meta)) return false
  for (const key in meta) if (typeof meta[key as keyof typeof meta] !== "string") return false
  return true
}

const jsonText = (value: unknown): string | undefined => {
  try {
    return JSON.stringify(value === undefined ? null : value)
  } catch {
    return undefined // a cycle or a bigint
  }
}
