/** `EventStore` over the database of this process. */
import { Clock, Effect, type Fiber, HashMap, Option, Stream } from "effect"
import {
  type Appended,
  type AppendResult,
  EventStore,
  InvalidAppend,
  type StoredEvent,
  StreamArchived,
  type StreamId
} from "../../EventStore.ts"
import {
  fullStream,
  holds,
  idTaken,
  limitOf,
  prepare,
  type Prepared,
  prepareOne,
  refused,
  tenantsOf,
  windowOf
} from "../appends.ts"
import type { Database, MemoryEvent, MemoryStream, State } from "./Database.ts"

export const make = (database: Database): EventStore["Service"] => {
  const named = (stream: StreamId) =>
    Effect.withFiber((fiber) => {
      const key = keyOf(fullStream(stream, fiber))
      return database.read((state) => streamOf(state, key))
    })
  return EventStore.of({
    append: (append) =>
      Effect.withFiber((fiber) => {
        const prepared = prepareOne(append, fiber)
        if (prepared instanceof InvalidAppend) return Effect.fail(prepared)
        return Effect.flatten(database.write((state, fiber) => {
          const [result, next] = appendOne(state, prepared, fiber)
          return [answerOf(result), next]
        }))
      }),
    appendAll: (appends) =>
      Effect.flatMap(prepare(appends), (prepared) =>
        Effect.flatten(database.write((state, fiber) => {
          const [results, next] = appendAll(state, prepared, fiber)
          return [answerOf(results), next]
        }))),
    read: (stream, options) => {
      const { backwards, from, limit } = windowOf(options)
      return Stream.unwrap(Effect.map(named(stream), ({ events }) => {
        const chosen = backwards
          ? events.filter((event) => event.version <= from).toReversed()
          : events.slice(Math.max(0, from - 1))
        return Stream.map(Stream.fromIterable(chosen.filter(isThere).slice(0, limit)), open)
      }))
    },
    readAll: (options) => {
      const { after = 0n, categories, share, types, upTo } = options ?? {}
      return Stream.unwrap(Effect.withFiber((fiber) => {
        const tenants = tenantsOf(options, fiber)
        return database.read((state) => {
          // The n-th event has position n, because what is rolled back gives its positions back.
          const range = state.log.slice(clamp(after), upTo === undefined ? undefined : clamp(upTo))
          const chosen = range.filter((event) =>
            isThere(event) &&
            (types === undefined || types.includes(event.type)) &&
            (categories === undefined || categories.includes(event.stream.category)) &&
            (tenants === undefined || tenants.includes(event.stream.tenant)) &&
            (share === undefined || hashOf(keyOf(event.stream)) % share.of === share.index)
          )
          return Stream.map(Stream.fromIterable(chosen.slice(0, limitOf(options?.limit))), open)
        })
      }))
    },
    version: (stream) => Effect.map(named(stream), ({ events }) => events.length),
    findAppend: (stream, commandId) =>
      Effect.map(named(stream), ({ commands }) => Option.map(HashMap.get(commands, commandId), replayed))
  })
}

type Refusal = InvalidAppend | StreamArchived

export const isRefusal = (result: unknown): result is Refusal =>
  result instanceof InvalidAppend || result instanceof StreamArchived

const answerOf = <A>(result: A | Refusal): Effect.Effect<A, Refusal> =>
  isRefusal(result) ? Effect.fail(result) : Effect.succeed(result)

export const appendOne = (
  state: State,
  prepared: Prepared,
  fiber: Fiber.Fiber<unknown, unknown>
): readonly [AppendResult | Refusal, State] => {
  const { commandId, events, expect, stream } = prepared
  const key = keyOf(stream)
  const current = streamOf(state, key)
  const version = current.events.length
  const before = commandId === undefined ? Option.none() : HashMap.get(current.commands, commandId)
  if (Option.isSome(before)) return [replayed(before.value), state]
  const known = prepared.given === 0 ? undefined : repeated(prepared, current)
  if (known !== undefined) return [known, state]
  if (current.archivedAt !== undefined) {
    return [new StreamArchived({ category: stream.category, id: stream.id }), state]
  }
  if (!holds(expect, version)) return [{ _tag: "Conflict", expected: expect, actual: version }, state]
  const millis = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
  const stored = events.map((event, index): MemoryEvent => ({
    ...event,
    stream,
    version: version + index + 1,
    position: state.position + BigInt(index + 1),
    millis
  }))
  const position = state.position + BigInt(events.length)
  const appended: Appended = {
    _tag: "Appended",
    firstVersion: version + 1,
    version: version + events.length,
    position,
    replayed: false
  }
  const next: MemoryStream = {
    ...current,
    events: [...current.events, ...stored],
    commands: commandId === undefined ? current.commands : HashMap.set(current.commands, commandId, appended)
  }
  return [appended, {
    ...state,
    streams: HashMap.set(state.streams, key, next),
    log: [...state.log, ...stored],
    position
  }]
}

const appendAll = (
  before: State,
  prepared: ReadonlyArray<Prepared>,
  fiber: Fiber.Fiber<unknown, unknown>
): readonly [ReadonlyArray<AppendResult> | Refusal, State] => {
  const results: Array<AppendResult> = []
  let state = before
  for (const [index, append] of prepared.entries()) {
    const [result, next] = appendOne(state, append, fiber)
    if (isRefusal(result)) return [result, before]
    if (result._tag === "Conflict") {
      const unchanged = (at: number) => streamOf(before, keyOf(prepared[at]?.stream ?? append.stream))
      return [
        refused(
          prepared,
          { index, actual: result.actual },
          (at) => {
            const commandId = prepared[at]?.commandId
            const found = commandId === undefined ? Option.none() : HashMap.get(unchanged(at).commands, commandId)
            return Option.isSome(found) ? replayed(found.value) : undefined
          },
          (at) => unchanged(at).events.length
        ),
        before
      ]
    }
    results.push(result)
    state = next
  }
  return [results, state]
}

/** What an append of events that the stream has already comes to; `undefined` when it has none of them. */
const repeated = (prepared: Prepared, stream: MemoryStream): Appended | InvalidAppend | undefined => {
  const versions = new Map(stream.events.map((event) => [event.id, event.version]))
  const { events, given } = prepared
  const found = events.flatMap(({ id }, index) => {
    const version = versions.get(id)
    return version === undefined ? [] : [{ index, version }]
  })
  const [first] = found
  if (first === undefined) return undefined
  const base = first.version - first.index
  const last = stream.events[base + events.length - 2]
  const same = found.length === given && base >= 1 && found.every(({ index, version }) => version - index === base)
  return same && last !== undefined
    ? { _tag: "Appended", firstVersion: base, version: last.version, position: last.position, replayed: true }
    : idTaken(prepared, first.index, first.version)
}

const nothing: MemoryStream = { events: [], commands: HashMap.empty() }

const streamOf = (state: State, key: string): MemoryStream =>
  Option.getOrElse(HashMap.get(state.streams, key), () => nothing)

export const isThere = ({ removed }: MemoryEvent): boolean => removed !== true

const clamp = (position: bigint): number => position > 0n ? Number(position) : 0

const keyOf = (stream: StoredEvent["stream"]): string => JSON.stringify([stream.tenant, stream.category, stream.id])

const replayed = (appended: Appended): Appended => ({ ...appended, replayed: true })

export const open = ({ millis, ...event }: MemoryEvent): StoredEvent => ({
  ...event,
  data: JSON.parse(event.data),
  meta: JSON.parse(event.meta),
  at: new Date(millis)
})

/** FNV-1a, for the shares of streams. */
const hashOf = (text: string): number => {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return (hash ^ (hash >>> 15)) >>> 0
}
