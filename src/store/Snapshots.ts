/**
 * States that were folded already, so that loading a long stream reads its tail only.
 *
 * A snapshot is a cache. It is keyed by its stream, the aggregate and a fingerprint of the state's Schema, one row for
 * each; a program with a changed Schema does not find the rows of the one before and folds from the events. A row names
 * the event it ends with (version and position), so a reader can tell that the stream it continues is the same one.
 *
 * `Aggregate.make({ snapshotEvery })` is how it is used. Snapshots are written after the commit, in the background: a
 * command neither waits for one nor fails because of one, and a state whose transaction was rolled back never becomes
 * one. A snapshot that is lost, because the process ended first or too many were waiting, is made by a later command.
 *
 * **Gotchas**
 *
 * - A fingerprint knows shapes, not functions. When `evolve` changes its mind about events that are stored, change the
 *   aggregate's `snapshotRevision` too.
 * - The description of a Schema is Effect's. An Effect that describes it otherwise changes the fingerprint: then states are
 *   folded once, and snapshots made anew.
 * - At most 64 writes wait; what comes then is dropped.
 * - Rows of fingerprints that nobody asks for stay until `prune` removes them.
 *
 * @example
 * ```ts
 * import { Effect, Option, Schema } from "effect"
 * import { EventStore, MemoryStore, Snapshots } from "effect-lifecycle/store"
 * import assert from "node:assert/strict"
 *
 * const Total = Schema.Struct({ total: Schema.Int })
 * const fingerprint = Snapshots.fingerprint(Total)
 * assert.equal(fingerprint, Snapshots.fingerprint(Total.annotate({ description: "the same shape" })))
 * assert.notEqual(fingerprint, Snapshots.fingerprint(Schema.Struct({ total: Schema.Finite })))
 *
 * const program = Effect.gen(function*() {
 *   const stream = { category: "Order", id: "o-1" }
 *   yield* EventStore.EventStore.use((store) =>
 *     store.append({ stream, expect: "noStream", events: [{ type: "OrderPlaced", data: {} }] })
 *   )
 *   const snapshots = yield* Snapshots.Snapshots
 *   const key = { stream, aggregate: "Order", fingerprint }
 *   yield* snapshots.save(key, { version: 100, position: 731n, data: { total: 5 } })
 *   yield* snapshots.save(key, { version: 50, position: 400n, data: { total: 2 } })
 *   return yield* snapshots.find(key)
 * })
 * const found = await Effect.runPromise(Effect.provide(program, MemoryStore.layer))
 * assert.deepEqual(found, Option.some({ version: 100, position: 731n, data: { total: 5 } }))
 * ```
 *
 * @since 0.1.0
 */
import { Context, type Effect, type Option, Schema } from "effect"
import { Digest } from "effect/crypto"
import { Hex } from "effect/encoding"
import type { StreamId } from "./EventStore.ts"
import { shapeOf } from "./internal/shape.ts"
import type { StoreUnavailable } from "./UnitOfWork.ts"

/**
 * Which snapshot.
 *
 * @category models
 * @since 0.1.0
 */
export interface Key {
  readonly stream: StreamId
  readonly aggregate: string
  /** Of the state's Schema. */
  readonly fingerprint: string
}

/**
 * A state as stored.
 *
 * @category models
 * @since 0.1.0
 */
export interface Snapshot {
  /** The version of the last event in the state. */
  readonly version: number
  /** The position of that event. */
  readonly position: bigint
  /** Any JSON value. */
  readonly data: unknown
}

/**
 * @category services
 * @since 0.1.0
 */
export class Snapshots extends Context.Service<Snapshots, {
  readonly find: (key: Key) => Effect.Effect<Option.Option<Snapshot>, StoreUnavailable>
  /** Keeps the newer one of `snapshot` and what is there; whether that is `snapshot`. */
  readonly save: (key: Key, snapshot: Snapshot) => Effect.Effect<boolean, StoreUnavailable>
  /** Removes all snapshots of a stream; how many there were. */
  readonly remove: (stream: StreamId) => Effect.Effect<number, StoreUnavailable>
  /** Removes the snapshots of an aggregate that have other fingerprints; how many there were. */
  readonly prune: (aggregate: string, keep: ReadonlyArray<string>) => Effect.Effect<number, StoreUnavailable>
  /** Runs a write in the background, or drops it when 64 are waiting. A failure is ignored: the next one comes. */
  readonly background: (write: Effect.Effect<unknown, StoreUnavailable>) => Effect.Effect<void>
  /** Waits until nothing runs in the background. */
  readonly settled: Effect.Effect<void>
}>()("effect-lifecycle/store/Snapshots") {}

/**
 * A short text that is the same for Schemas of the same shape, in every process: what decoding accepts and gives, with the
 * names, the types, what is optional and the checks that Effect describes. Annotations and the order of fields do not
 * count. `extra` is anything else that makes stored states useless when it changes.
 *
 * A check or a type that was made by hand has no description; two of them look alike.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fingerprint = (schema: Schema.Top, extra: ReadonlyArray<string> = []): string => {
  const json = Schema.toCodecJson(schema)
  const text = JSON.stringify([shapeOf(Schema.toType(schema)), shapeOf(json), extra])
  return Hex.encode(hash(new TextEncoder().encode(text)))
}

/** Not for security: it names shapes, and the stored state is decoded by its Schema whatever this says. */
const hash = (bytes: Uint8Array): Uint8Array => {
  const { implementation } = Digest.md5
  if (implementation === undefined) throw new Error("effect/crypto has no MD5 of its own any more")
  return implementation(bytes)
}
