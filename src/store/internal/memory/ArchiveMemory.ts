/** `Archive` in the database of this process. */
import { Clock, Effect, HashMap, Option } from "effect"
import { Archive, type CannotTruncate, type Keeps } from "../../Archive.ts"
import type { StoredEvent, StreamId } from "../../EventStore.ts"
import { fullStream } from "../appends.ts"
import { cannot, invalidBefore } from "../archives.ts"
import { compareText } from "../text.ts"
import type { Database, MemoryEvent, MemoryStream, State } from "./Database.ts"

export const make = (database: Database): Archive["Service"] => {
  const change = (f: (found: MemoryStream, now: number) => MemoryStream) => (stream: StreamId) =>
    database.write((state, fiber) => {
      const key = keyOf(fullStream(stream, fiber))
      const found = Option.getOrUndefined(HashMap.get(state.streams, key))
      if (found === undefined) return [false, state]
      const next = f(found, fiber.getRef(Clock.Clock).currentTimeMillisUnsafe())
      return [true, { ...state, streams: HashMap.set(state.streams, key, next) }]
    })
  return Archive.of({
    archive: change((found, now) => ({ ...found, archivedAt: found.archivedAt ?? now })),
    restore: change((found) => ({ ...found, archivedAt: undefined })),
    status: (stream) =>
      Effect.withFiber((fiber) =>
        database.read((state) =>
          Option.map(HashMap.get(state.streams, keyOf(fullStream(stream, fiber))), ({ archivedAt, events }) => ({
            version: events.length,
            archivedAt: archivedAt === undefined ? undefined : new Date(archivedAt),
            firstVersion: events.findIndex(({ removed }) => removed !== true) + 1
          }))
        )
      ),
    truncate: (stream, options) =>
      Effect.flatten(database.write((state, fiber) => truncate(state, fullStream(stream, fiber), options)))
  })
}

const truncate = (
  state: State,
  stream: StoredEvent["stream"],
  { before, keeps }: { readonly before: number; readonly keeps: Keeps }
): readonly [Effect.Effect<number, CannotTruncate>, State] => {
  const invalid = invalidBefore(stream, before)
  if (invalid !== undefined) return [Effect.fail(invalid), state]
  const key = keyOf(stream)
  const found = Option.getOrUndefined(HashMap.get(state.streams, key))
  const refuse = (problem: Parameters<typeof cannot>[3], detail = "") =>
    [Effect.fail(cannot(stream, before, keeps, problem, detail)), state] as const
  if (found === undefined) return refuse("noStream")
  const first = found.events[before - 1]
  if (first === undefined) return refuse("empty")
  if ("summary" in keeps && (first.removed === true || first.type !== keeps.summary)) {
    return refuse("summary", first.type)
  }
  if ("snapshot" in keeps && !reaches(state, key, found, keeps.snapshot, before)) return refuse("snapshot")
  const last = found.events[before - 2]?.position ?? 0n
  for (const [name, { partitions }] of state.subscriptions) {
    if (partitions.some(({ position }) => position < last)) return refuse("subscription", name)
  }
  const [tagged] = state.tagged.filter(({ position, tags }) =>
    tags.length > 0 && found.events.some((event) => event.version < before && event.position === position)
  )
  if (tagged !== undefined) return refuse("tag", tagged.tags.toSorted(compareText)[0])
  const going = new Set(found.events.slice(0, before - 1).map(({ position }) => position))
  const kept = [...state.deadLetters].flatMap(([name, letters]) =>
    letters.filter(({ position }) => going.has(position)).map(({ position }) => ({ name, position }))
  )
  const [letter] = kept.toSorted((one, other) =>
    one.position === other.position ? compareText(one.name, other.name) : one.position < other.position ? -1 : 1
  )
  if (letter !== undefined) return refuse("letter", letter.name)
  const gone = (event: MemoryEvent) => event.version < before && event.removed !== true
  // What is left of a removed event keeps the places of the others.
  const remove = (event: MemoryEvent): MemoryEvent =>
    gone(event) ? { ...event, data: "null", meta: "{}", removed: true } : event
  const count = found.events.filter(gone).length
  return [Effect.succeed(count), {
    ...state,
    streams: HashMap.set(state.streams, key, { ...found, events: found.events.map(remove) }),
    log: state.log.map((event) => keyOf(event.stream) === key ? remove(event) : event)
  }]
}

const reaches = (
  state: State,
  stream: string,
  { events }: MemoryStream,
  { aggregate, fingerprint }: { readonly aggregate: string; readonly fingerprint: string },
  before: number
): boolean => {
  const snapshot = HashMap.get(state.snapshots, JSON.stringify([stream, aggregate, fingerprint]))
  if (Option.isNone(snapshot) || snapshot.value.version < before) return false
  return events[snapshot.value.version - 1]?.position === snapshot.value.position
}

/** As `EventStoreMemory` keys its streams. */
const keyOf = (stream: StoredEvent["stream"]): string => JSON.stringify([stream.tenant, stream.category, stream.id])
