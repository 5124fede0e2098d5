/** Seals and opens events and JSON values with the keys of a ring. */
import { Effect, type Fiber } from "effect"
import type { NewEvent, StoredEvent, StreamId } from "../../EventStore.ts"
import type { PersonalData } from "../../PersonalData.ts"
import type { Snapshots } from "../../Snapshots.ts"
import type { SubjectKeys } from "../../SubjectKeys.ts"
import * as Tenant from "../../Tenant.ts"
import type { UnitOfWork } from "../../UnitOfWork.ts"
import { fullStream } from "../appends.ts"
import { type Box, type Crypto, decrypt, encrypt, type Found, type KeyRing, type SubjectKeyValue } from "./keyRing.ts"
import { bindingOf, type Fields, type Part, partsOf, reserved, shredded, split, Unsealed } from "./sealing.ts"
import { PersonalDataUnreadable, SubjectShredded } from "./personalErrors.ts"
import { uuid } from "../uuid.ts"

/** So many (subject, stream) pairs are remembered as noted. */
const mostNoted = 10_000

export const make = (
  crypto: Crypto,
  ring: KeyRing,
  rows: SubjectKeys["Service"],
  unit: UnitOfWork["Service"],
  snapshots: Snapshots["Service"]
): PersonalData["Service"] => {
  const noted = new Set<string>()

  const note = (stream: StoredEvent["stream"], subjects: ReadonlyArray<string>) => {
    const pairs = subjects.map((subject) => JSON.stringify([stream.tenant, stream.category, stream.id, subject]))
    if (pairs.every((pair) => noted.has(pair))) return Effect.void
    const remember = Effect.sync(() => {
      if (noted.size > mostNoted) noted.clear()
      for (const pair of pairs) noted.add(pair)
    })
    return Effect.andThen(rows.note(stream, subjects), unit.afterCommit(remember))
  }

  const usable = (keys: ReadonlyMap<string, Found>, subject: string, place: string) => {
    const found = keys.get(subject)
    return found?._tag === "Key" ? Effect.succeed(found.key) : found?._tag === "Shredded"
      ? Effect.fail(new SubjectShredded({ subject }))
      : Effect.fail(new PersonalDataUnreadable({ subject, place, reason: found?.reason ?? "it has no key" }))
  }

  const sealEvent = (
    stream: StoredEvent["stream"],
    event: NewEvent,
    id: string,
    parts: ReturnType<typeof split>,
    keys: ReadonlyMap<string, Found>
  ) =>
    Effect.gen(function*() {
      const sealed: Array<Part> = []
      const schemaVersion = event.schemaVersion ?? 1
      for (const [subject, values] of parts.secret) {
        const fields = Object.keys(values)
        const key = yield* usable(keys, subject, placeOf(stream, event.type))
        const binding = bindingOf(stream, { id, type: event.type, schemaVersion }, subject, fields)
        const box = yield* encrypt(crypto, key, JSON.stringify(values), binding)
        sealed.push({ alg: "A256GCM", subject, fields, ...box })
      }
      const data = sealed.length === 0 ? parts.plain : { ...parts.plain, [reserved]: sealed }
      return { ...event, id, data }
    })

  const seal = (given: StreamId, events: ReadonlyArray<NewEvent>) =>
    Effect.gen(function*() {
      if (!events.some(({ data }) => data instanceof Unsealed)) return events
      const { ids, stream } = yield* Effect.withFiber((fiber) =>
        Effect.succeed({ stream: fullStream(given, fiber), ids: events.map((event) => idOf(event, fiber)) })
      )
      const all = events.map(({ data }) => data instanceof Unsealed ? split(data, stream.id) : undefined)
      const subjects = [...new Set(all.flatMap((parts) => [...(parts?.secret.keys() ?? [])]))]
      const keys = yield* ring.require(stream.tenant, subjects)
      const sealed = yield* Effect.forEach(events, (event, index) => {
        const parts = all[index]
        return parts === undefined ? Effect.succeed(event) : sealEvent(stream, event, ids[index] ?? "", parts, keys)
      })
      yield* note(stream, subjects)
      return sealed
    })

  const openPart = (event: StoredEvent, part: Part, keys: ReadonlyMap<string, Found>) =>
    Effect.gen(function*() {
      const found = keys.get(part.subject)
      if (found?._tag === "Shredded") {
        return Object.fromEntries(part.fields.map((field) => [field, shredded(part.subject)]))
      }
      const place = `${placeOf(event.stream, event.type)} version ${event.version}`
      const fail = (reason: string) => new PersonalDataUnreadable({ subject: part.subject, place, reason })
      if (found?._tag !== "Key") return yield* fail(found?.reason ?? "it has no key")
      const text = yield* decrypt(crypto, found.key, part, bindingOf(event.stream, event, part.subject, part.fields))
      return text === undefined
        ? yield* fail("it was changed, or belongs to another event")
        : JSON.parse(text) as Fields
    })

  const openEvent = (event: StoredEvent, keys: ReadonlyMap<string, Found>) =>
    Effect.gen(function*() {
      const parts = partsOf(event.data)
      if (parts === undefined) return event
      if (parts.length === 0) {
        const place = `${placeOf(event.stream, event.type)} version ${event.version}`
        return yield* new PersonalDataUnreadable({ subject: "", place, reason: "its sealed parts are damaged" })
      }
      const data: Record<string, unknown> = { ...event.data as Fields }
      delete data[reserved]
      for (const part of parts) Object.assign(data, yield* openPart(event, part, keys))
      return { ...event, data }
    })

  const openAll = (events: ReadonlyArray<StoredEvent>) =>
    Effect.gen(function*() {
      const byTenant = new Map<string, Set<string>>()
      for (const { data, stream } of events) {
        const subjects = subjectsOf(data)
        if (subjects.length === 0) continue
        const known = byTenant.get(stream.tenant) ?? new Set()
        for (const subject of subjects) known.add(subject)
        byTenant.set(stream.tenant, known)
      }
      const keys = new Map<string, ReadonlyMap<string, Found>>()
      for (const [tenant, subjects] of byTenant) keys.set(tenant, yield* ring.find(tenant, [...subjects]))
      // Several at once: the ciphers run outside of this thread.
      return yield* Effect.forEach(
        events,
        (event) => openEvent(event, keys.get(event.stream.tenant) ?? new Map()),
        { concurrency: 16 }
      )
    })

  const open = (event: StoredEvent) => Effect.map(openAll([event]), ([opened]) => opened ?? event)

  const bindingOfLayer = (
    tenant: string,
    place: ReadonlyArray<string>,
    subjects: ReadonlyArray<string>,
    depth: number
  ) => JSON.stringify(["json", tenant, place, subjects, depth])

  return {
    seal,
    open,
    openAll,
    sealJson: (value, { place, subjects: given }) =>
      Effect.gen(function*() {
        const tenant = yield* Tenant.Current
        const subjects = [...new Set(given)].toSorted()
        const keys = yield* ring.require(tenant, subjects)
        let text = JSON.stringify(value)
        // One inside the other, so that each of the keys is needed.
        for (const [depth, subject] of subjects.entries()) {
          const key = yield* usable(keys, subject, place.join(" "))
          const box = yield* encrypt(crypto, key, text, bindingOfLayer(tenant, place, subjects, depth))
          text = JSON.stringify(box)
        }
        return { [reserved]: { alg: "A256GCM", subjects, text } }
      }),
    openJson: (sealed, place) =>
      Effect.gen(function*() {
        const tenant = yield* Tenant.Current
        const envelope = envelopeOf(sealed)
        const unreadable = (subject: string, reason: string) =>
          new PersonalDataUnreadable({ subject, place: place.join(" "), reason })
        if (envelope === undefined) return yield* unreadable("", "it is not sealed as it should be")
        const { subjects } = envelope
        const keys = yield* ring.find(tenant, subjects)
        const gone = subjects.find((subject) => keys.get(subject)?._tag === "Shredded")
        if (gone !== undefined) return shredded(gone)
        let { text } = envelope
        for (const [depth, subject] of [...subjects.entries()].toReversed()) {
          const found = keys.get(subject)
          if (found?._tag !== "Key") {
            return yield* unreadable(subject, found?._tag === "Missing" ? found.reason : "it has no key")
          }
          const inner = yield* openLayer(crypto, found.key, text, bindingOfLayer(tenant, place, subjects, depth))
          if (inner === undefined) {
            return yield* unreadable(subject, "it was changed, or belongs elsewhere")
          }
          text = inner
        }
        return { value: JSON.parse(text) as unknown, subjects }
      }),
    shred: (subject) =>
      Effect.gen(function*() {
        const tenant = yield* Tenant.Current
        const result = yield* unit.run(Effect.gen(function*() {
          const erased = yield* rows.shred(tenant, subject)
          const streams = yield* rows.streams(tenant, subject)
          let removed = 0
          for (const stream of streams) removed += yield* snapshots.remove(stream)
          yield* unit.afterCommit(ring.forget(tenant, subject))
          return { subject, erased, streams, snapshots: removed }
        }))
        return result
      }),
    rewrap: ring.rewrap
  }
}

const idOf = (event: NewEvent, fiber: Fiber.Fiber<unknown, unknown>): string => event.id?.toLowerCase() ?? uuid(fiber)

const placeOf = (stream: StoredEvent["stream"], type: string): string => `${type} of ${stream.category} ${stream.id}`

export const subjectsOf = (data: unknown): ReadonlyArray<string> => partsOf(data)?.map(({ subject }) => subject) ?? []

interface Envelope {
  readonly subjects: ReadonlyArray<string>
  readonly text: string
}

const envelopeOf = (sealed: unknown): Envelope | undefined => {
  if (typeof sealed !== "object" || sealed === null) return undefined
  const envelope = (sealed as Fields)[reserved]
  if (typeof envelope !== "object" || envelope === null) return undefined
  const { alg, subjects, text } = envelope as Fields
  return alg === "A256GCM" && typeof text === "string" && Array.isArray(subjects) && subjects.length > 0 &&
      subjects.every((subject) => typeof subject === "string")
    ? { subjects, text }
    : undefined
}

const openLayer = (crypto: Crypto, key: SubjectKeyValue, text: string, binding: string) => {
  let box: Partial<Box> | null
  try {
    box = JSON.parse(text)
  } catch {
    return Effect.undefined
  }
  return typeof box?.nonce === "string" && typeof box.text === "string"
    ? decrypt(crypto, key, { nonce: box.nonce, text: box.text }, binding)
    : Effect.undefined
}
