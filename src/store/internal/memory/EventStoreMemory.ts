/** `EventStore` over the database of this process. */
import { Clock, Effect, type Fiber, HashMap, Option, Stream } from "effect"
import { type Appended, type AppendResult, EventStore, type StoredEvent } from "../../EventStore.ts"
import { fullStream, holds, limitOf, prepare, type Prepared, prepareOne, refused, windowOf } from "../appends.ts"
import { InvalidAppend } from "../../EventStore.ts"
import type { Database, MemoryEvent, MemoryStream, State } from "./Database.ts"

export const make = (database: Database): EventStore["Service"] => {
  const events = (key: string) =>
    database.read((state) =>
      Option.match(HashMap.get(state.streams, key), { onNone: () => [], onSome: (s) => s.events })
    )
  return EventStore.of({
    append: (append) =>
      Effect.withFiber((fiber) => {
        const prepared = prepareOne(append, fiber)
        if (prepared instanceof InvalidAppend) return Effect.fail(prepared)
        return database.write((state, fiber) => appendOne(state, prepared, fiber))
      }),
    appendAll: (appends) =>
      Effect.flatMap(
        prepare(appends),
        (prepared) => database.write((state, fiber) => appendAll(state, prepared, fiber))
      ),
    read: (stream, options) => {
      const { backwards, from, limit } = windowOf(options)
      return Stream.unwrap(Effect.map(events(keyOf(fullStream(stream))), (all) => {
        const chosen = backwards
          ? all.filter((event) => event.version <= from).toReversed()
          : all.slice(Math.max(0, from - 1))
        return Stream.map(Stream.fromIterable(chosen.slice(0, limit)), open)
      }))
    },
    readAll: (options) => {
      const { after = 0n, categories, types, upTo } = options ?? {}
      return Stream.unwrap(database.read((state) => {
        // The n-th event has position n, because what is rolled back gives its positions back.
        const range = state.log.slice(clamp(after), upTo === undefined ? undefined : clamp(upTo))
        const chosen = range.filter((event) =>
          (types === undefined || types.includes(event.type)) &&
          (categories === undefined || categories.includes(event.stream.category))
        )
        return Stream.map(Stream.fromIterable(chosen.slice(0, limitOf(options?.limit))), open)
      }))
    },
    version: (stream) => Effect.map(events(keyOf(fullStream(stream))), (all) => all.length),
    findAppend: (stream, commandId) =>
      database.read((state) =>
        Option.map(
          Option.flatMap(HashMap.get(state.streams, keyOf(fullStream(stream))), (s) =>
            HashMap.get(s.commands, commandId)),
          replayed
        )
      )
  })
}

const appendOne = (
  state: State,
  { commandId, events, expect, stream }: Prepared,
  fiber: Fiber.Fiber<unknown, unknown>
): readonly [AppendResult, State] => {
  const key = keyOf(stream)
  const current = streamOf(state, key)
  const version = current.events.length
  const before = commandId === undefined ? Option.none() : HashMap.get(current.commands, commandId)
  if (Option.isSome(before)) return [replayed(before.value), state]
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
): readonly [ReadonlyArray<AppendResult>, State] => {
  const results: Array<AppendResult> = []
  let state = before
  for (const [index, append] of prepared.entries()) {
    const [result, next] = appendOne(state, append, fiber)
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

const nothing: MemoryStream = { events: [], commands: HashMap.empty() }

const streamOf = (state: State, key: string): MemoryStream =>
  Option.getOrElse(HashMap.get(state.streams, key), () => nothing)

const clamp = (position: bigint): number => position > 0n ? Number(position) : 0

const keyOf = (stream: StoredEvent["stream"]): string => JSON.stringify([stream.tenant, stream.category, stream.id])

const replayed = (appended: Appended): Appended => ({ ...appended, replayed: true })

const open = ({ millis, ...event }: MemoryEvent): StoredEvent => ({
  ...event,
  data: JSON.parse(event.data),
  meta: JSON.parse(event.meta),
  at: new Date(millis)
})
