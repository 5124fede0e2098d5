/**
 * The keys of the people whose data is encrypted: one row a subject, wrapped by a master key, or a tombstone.
 *
 * `PersonalData` is what applications use; this is where it keeps its rows, and which streams hold data of whom. A row is
 * written in the transaction that is open. A subject that was shredded has a row without a key for ever, so no later
 * writer can bring the key back by making a new one.
 *
 * **Gotchas**
 *
 * - A wrapped key is worth nothing without its master key. Keep the two apart: no master key in the database.
 * - Subjects' ids are stored as they are, here and in every sealed event. Use ids that say nothing about the person.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { MemoryStore, SubjectKeys } from "effect-lifecycle/store"
 * import assert from "node:assert/strict"
 *
 * const program = Effect.gen(function*() {
 *   const keys = yield* SubjectKeys.SubjectKeys
 *   const first = yield* keys.create({ tenant: "", subject: "u-1", wrapped: "AAAA", masterKey: "2025" })
 *   const second = yield* keys.create({ tenant: "", subject: "u-1", wrapped: "BBBB", masterKey: "2025" })
 *   assert.deepEqual(second, first)
 *   yield* keys.shred("", "u-1")
 *   return yield* keys.find("", ["u-1"])
 * })
 * const [row] = await Effect.runPromise(Effect.provide(program, MemoryStore.layer))
 * assert.deepEqual([row?.subject, row?.wrapped], ["u-1", undefined])
 * ```
 *
 * @since 0.1.0
 */
import { Context, type Effect } from "effect"
import type { StoredEvent } from "./EventStore.ts"
import type { StoreUnavailable } from "./UnitOfWork.ts"

/**
 * A key that can be stored.
 *
 * @category models
 * @since 0.1.0
 */
export interface NewKey {
  readonly tenant: string
  readonly subject: string
  /** The key, encrypted under the master key. */
  readonly wrapped: string
  /** The id of that master key. */
  readonly masterKey: string
}

/**
 * A stored row; a subject that was shredded has no `wrapped` any more.
 *
 * @category models
 * @since 0.1.0
 */
export interface SubjectKey {
  readonly tenant: string
  readonly subject: string
  readonly wrapped: string | undefined
  readonly masterKey: string | undefined
  readonly shreddedAt: Date | undefined
}

/**
 * @category services
 * @since 0.1.0
 */
export class SubjectKeys extends Context.Service<SubjectKeys, {
  /** The rows that exist, in any order. */
  readonly find: (
    tenant: string,
    subjects: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<SubjectKey>, StoreUnavailable>
  /** Stores the key where the subject has no row; the row that is there afterwards. */
  readonly create: (key: NewKey) => Effect.Effect<SubjectKey, StoreUnavailable>
  /** Replaces the key by a tombstone; whether there was a key. */
  readonly shred: (tenant: string, subject: string) => Effect.Effect<boolean, StoreUnavailable>
  /** Remembers that a stream holds data of these subjects. */
  readonly note: (
    stream: StoredEvent["stream"],
    subjects: ReadonlyArray<string>
  ) => Effect.Effect<void, StoreUnavailable>
  /** The streams that hold data of a subject. */
  readonly streams: (
    tenant: string,
    subject: string
  ) => Effect.Effect<ReadonlyArray<StoredEvent["stream"]>, StoreUnavailable>
  /** Some of the keys that are wrapped by these master keys. */
  readonly wrappedBy: (
    masterKeys: ReadonlyArray<string>,
    limit: number
  ) => Effect.Effect<ReadonlyArray<SubjectKey>, StoreUnavailable>
  /** Replaces a wrapped key, where it is still `before`. */
  readonly rewrap: (key: NewKey, before: string) => Effect.Effect<boolean, StoreUnavailable>
}>()("effect-lifecycle/store/SubjectKeys") {}
