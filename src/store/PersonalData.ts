/**
 * Data about people in events that are never changed: encrypted under a key of each person, unreadable once the key is gone.
 *
 * A field of an event is marked with {@link personal}. Its value is encrypted (AES-256-GCM) under the key of its subject
 * before it reaches the store, together with the subject's other fields of the event, and bound to the stream, the event
 * and the fields' names: at any other place it does not open. The keys are rows of the store (`SubjectKeys`), each
 * encrypted under a master key that the store never sees. {@link PersonalData.shred} removes a key for ever. From then on
 * the fields read as {@link Shredded}, which is part of their type, so that a program has to say what it does then.
 *
 * Aggregates with such events seal and open by themselves. Their snapshots are sealed under the keys of everybody whose
 * data went into the state, so each `shred` makes them unreadable as well; they are folded from the events again. Other
 * readers, such as the handler of a subscription, pass events through {@link PersonalData.open} before they decode them.
 *
 * **What it does not cover**
 *
 * - Rows that a projection keeps for queries are as plain as the projection makes them. `shred` answers with the streams
 *   concerned, and `Aggregate.reproject` writes their rows anew; better, keep personal data out of them.
 * - Subjects' ids, stream ids, types, times, metadata, and the number and length of the fields stay readable.
 * - Copies elsewhere: backups of the table of keys, dead rows until a vacuum, a write-ahead log archive. They hold wrapped
 *   keys. Change the master key (put a new one first, {@link PersonalData.rewrap}), and destroy the old one after the
 *   longest of these has ended.
 * - What a program did with the values it had read.
 *
 * **Gotchas**
 *
 * - A process remembers keys for `timeToLive`. After a `shred`, others can still read for that long, and seal too: what
 *   they seal then is unreadable. The process that shreds forgets the key with the commit.
 * - A lost master key is a lost key: everything under it is unreadable, and says so as an error, not as `Shredded`.
 * - A subject that was shredded cannot get a new key. A person who comes back gets a new subject id.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Redacted, Result, Schema, Stream } from "effect"
 * import { DomainEvent } from "effect-lifecycle/domain"
 * import { EventStore, MemoryStore, PersonalData } from "effect-lifecycle/store"
 * import assert from "node:assert/strict"
 *
 * const Registered = DomainEvent.make("Registered", {
 *   schema: { plan: Schema.String, email: PersonalData.personal(Schema.String) }
 * })
 * const stream = { category: "User", id: "u-1" }
 * const program = Effect.gen(function*() {
 *   const store = yield* EventStore.EventStore
 *   const people = yield* PersonalData.PersonalData
 *   const event = Result.getOrThrow(Registered.encode(Registered.make({ plan: "basic", email: "ada@example.org" })))
 *   yield* store.append({ stream, expect: "noStream", events: yield* people.seal(stream, [event]) })
 *
 *   const read = Effect.gen(function*() {
 *     const [stored] = yield* Stream.runCollect(store.read(stream))
 *     assert.ok(stored !== undefined && !JSON.stringify(stored.data).includes("ada"))
 *     return Result.getOrThrow(Registered.decode(yield* people.open(stored))).email
 *   })
 *   assert.equal(yield* read, "ada@example.org")
 *   yield* people.shred("u-1")
 *   assert.deepEqual(yield* read, { _tag: "Shredded", subject: "u-1" })
 * })
 * // In a service: PersonalData.layerConfig({ masterKeys: Config.Redacted("PERSONAL_DATA_KEYS") })
 * const personal = PersonalData.layer({ masterKeys: Redacted.make(`2025=${btoa("0123456789abcdef".repeat(2))}`) })
 * await Effect.runPromise(program.pipe(Effect.provide(Layer.provideMerge(personal, MemoryStore.layer))))
 * ```
 *
 * @since 0.1.0
 */
import { Config, Context, type Duration, Effect, Layer, type Redacted, Schema, SchemaAST } from "effect"
import { Aead, SecureRandom } from "effect/crypto"
import { InvalidOption } from "../resilience/InvalidOption.ts"
import type { NewEvent, StoredEvent, StreamId } from "./EventStore.ts"
import { millisOf } from "./internal/duration.ts"
import * as keyRing from "./internal/personal/keyRing.ts"
import { type Plan, reserved, Unsealed } from "./internal/personal/sealing.ts"
import { PersonalDataUnreadable, SubjectShredded } from "./internal/personal/personalErrors.ts"
import * as sealer from "./internal/personal/sealer.ts"
import { Snapshots } from "./Snapshots.ts"
import { SubjectKeys } from "./SubjectKeys.ts"
import { type StoreUnavailable, UnitOfWork } from "./UnitOfWork.ts"

/**
 * The value of a personal field whose subject's key is gone.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Shredded = Schema.TaggedStruct("Shredded", { subject: Schema.String })

/**
 * @category models
 * @since 0.1.0
 */
export type Shredded = typeof Shredded["Type"]

/**
 * Whether a personal value is gone.
 *
 * @category guards
 * @since 0.1.0
 */
export const isShredded: (value: unknown) => value is Shredded = Schema.is(Shredded)

export { PersonalDataUnreadable, SubjectShredded }

/**
 * What `shred` did.
 *
 * @category models
 * @since 0.1.0
 */
export interface Shred {
  readonly subject: string
  /** False when there was no key: the subject is unknown, or was shredded before. */
  readonly erased: boolean
  /** The streams that hold data of the subject: their projections' rows may have to be written anew. */
  readonly streams: ReadonlyArray<StoredEvent["stream"]>
  /** How many snapshots were removed. */
  readonly snapshots: number
}

/**
 * A JSON value and whose data it holds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Concerning {
  readonly subjects: ReadonlyArray<string>
  /** What the value belongs to, so that it opens there only. */
  readonly place: ReadonlyArray<string>
}

/**
 * @category services
 * @since 0.1.0
 */
export class PersonalData extends Context.Service<PersonalData, {
  /** Events as an `encode` gives them, as the store takes them. Events without personal fields stay as they are. */
  readonly seal: (
    stream: StreamId,
    events: ReadonlyArray<NewEvent>
  ) => Effect.Effect<ReadonlyArray<NewEvent>, StoreUnavailable | SubjectShredded | PersonalDataUnreadable>
  /** A stored event as a `decode` takes it. An event without personal fields stays as it is. */
  readonly open: (event: StoredEvent) => Effect.Effect<StoredEvent, StoreUnavailable | PersonalDataUnreadable>
  /** As `open`, with one look-up of keys for all of them. */
  readonly openAll: (
    events: ReadonlyArray<StoredEvent>
  ) => Effect.Effect<ReadonlyArray<StoredEvent>, StoreUnavailable | PersonalDataUnreadable>
  /** Encrypts a JSON value under the keys of all its subjects: shredding any of them makes it unreadable. */
  readonly sealJson: (
    value: unknown,
    concerning: Concerning
  ) => Effect.Effect<unknown, StoreUnavailable | SubjectShredded | PersonalDataUnreadable>
  /** What was given to `sealJson`; `Shredded` when a subject was. */
  readonly openJson: (
    sealed: unknown,
    place: ReadonlyArray<string>
  ) => Effect.Effect<
    { readonly value: unknown; readonly subjects: ReadonlyArray<string> } | Shredded,
    StoreUnavailable | PersonalDataUnreadable
  >
  /** Erases the key of a subject, for ever, and the snapshots of the streams that hold its data. */
  readonly shred: (subject: string) => Effect.Effect<Shred, StoreUnavailable>
  /** Wraps all keys by the first master key; how many were wrapped by others. Safe to run while others work. */
  readonly rewrap: Effect.Effect<number, StoreUnavailable>
}>()("effect-lifecycle/store/PersonalData") {}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * `id=key`, several separated by spaces or commas; each key is 32 bytes in Base64 (`openssl rand -base64 32`). The first
   * one wraps new keys, the others still unwrap what they wrapped.
   */
  readonly masterKeys: Redacted.Redacted<string>
  /** How long this process remembers a key; 1 minute when absent, 0 to ask the store each time. */
  readonly timeToLive?: Duration.Input | undefined
  /** How many keys it remembers; 10,000 when absent. */
  readonly capacity?: number | undefined
}

/**
 * Personal data over the keys of a store.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Options
): Layer.Layer<PersonalData, InvalidOption, SubjectKeys | Snapshots | UnitOfWork> =>
  Layer.effect(
    PersonalData,
    Effect.gen(function*() {
      const { capacity = 10_000, timeToLive = "1 minute" } = options
      if (!Number.isSafeInteger(capacity) || capacity < 1) {
        return yield* new InvalidOption({
          module: "PersonalData.layer",
          option: "capacity",
          value: String(capacity),
          allowed: "a whole number from 1"
        })
      }
      const masters = yield* keyRing.parseMasterKeys(options.masterKeys)
      const crypto = { aead: yield* Aead.Aead, random: yield* SecureRandom.SecureRandom }
      const rows = yield* SubjectKeys
      const unit = yield* UnitOfWork
      const ring = keyRing.make(crypto, rows, unit, masters, { capacity, millis: millisOf(timeToLive) })
      return sealer.make(crypto, ring, rows, unit, yield* Snapshots)
    })
  ).pipe(Layer.provide(Aead.layerWebCrypto), Layer.provide(SecureRandom.layerWebCrypto))

/**
 * As {@link layer}, from configuration.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  options: Config.Wrap<Options>
): Layer.Layer<PersonalData, InvalidOption | Config.ConfigError, SubjectKeys | Snapshots | UnitOfWork> =>
  Layer.unwrap(Effect.map(Config.unwrap(options), layer))

const annotation = "effect-lifecycle/store/PersonalData"

/**
 * The schema of a field that holds data about a person: `schema`, or `Shredded` when it is gone.
 *
 * `subject` is the event's field that holds the person's id; the id of the stream when absent.
 *
 * @category schemas
 * @since 0.1.0
 */
export const personal = <S extends Schema.Top>(
  schema: S,
  subject?: string | undefined
): Schema.Union<readonly [S, typeof Shredded]> =>
  Schema.Union([schema, Shredded]).annotate({ [annotation]: { subject } })

/**
 * `PersonalData` for a field that can be `Shredded`, else nothing.
 *
 * @category models
 * @since 0.1.0
 */
export type Services<Field> = Field extends Schema.Top
  ? [Extract<Field["Type"], Shredded>] extends [never] ? never : PersonalData
  : never

/** @internal */
export const planOf = (type: string, fields: Schema.Struct.Fields): Plan | undefined => {
  const invalid = (option: string, value: string, allowed: string) =>
    new InvalidOption({ module: `DomainEvent.make("${type}")`, option, value, allowed })
  if (Object.hasOwn(fields, reserved)) throw invalid("schema", `a field "${reserved}"`, "other names: it is reserved")
  const subjects = new Map<string, string | undefined>()
  for (const [name, { ast }] of Object.entries(fields)) {
    const mark = SchemaAST.resolveAt<{ readonly subject: string | undefined }>(annotation)(ast)
    if (mark !== undefined) subjects.set(name, mark.subject)
  }
  for (const [name, subject] of subjects) {
    if (subject !== undefined && (!Object.hasOwn(fields, subject) || subjects.has(subject))) {
      throw invalid(`schema.${name}`, `personal data of "${subject}"`, "about a subject named by another, plain field")
    }
  }
  return subjects.size === 0 ? undefined : { type, subjects }
}

/** @internal */
export const unsealed = (plan: Plan, fields: Readonly<Record<string, unknown>>): unknown => new Unsealed(plan, fields)

/** @internal Whether stored data has parts that are still encrypted. */
export const isSealed = (data: unknown): boolean =>
  typeof data === "object" && data !== null && Object.hasOwn(data, reserved)

/** @internal The subjects whose data a stored event holds. */
export const subjectsOf = (data: unknown): ReadonlyArray<string> => sealer.subjectsOf(data)
