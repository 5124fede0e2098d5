/**
 * The end of a stream's life: closing it, and letting go of events that something else stands for.
 *
 * An archived stream can be read as before, by name, in order and by subscriptions; an append to it fails with
 * `StreamArchived` until it is restored. Truncation removes the events before a version, for good. It asks for what holds
 * their meaning from then on, and removes nothing without it:
 *
 * - `{ summary }`: the event at that version is one of this type, which says everything that the events before it said.
 * - `{ snapshot }`: there is a snapshot of this fingerprint that ends at that version or later. It stops counting with the
 *   next change of the state's Schema, and then nothing can fold the stream. Prefer a summary.
 *
 * Events that a subscription has not handled yet are not removed, those that it keeps as dead letters included: redeliver or
 * discard them first. Nor are such as have a tag: decisions over several streams (`DynamicConsistencyBoundary`) count on
 * those for ever.
 *
 * **Gotchas**
 *
 * - A projection that is rebuilt, or a subscription that is new, does not see what was truncated.
 * - A command whose first append was truncated can no longer be answered again under its command id: it dies, and happens
 *   no second time.
 * - The table of events refuses `DELETE`. Truncation goes through the function `truncate_stream`, the only thing with the
 *   setting `effect_lifecycle.truncating`, which lasts for its own statements only. It is a guard against accidents: who
 *   may change the schema may change this.
 *
 * @example
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Archive, EventStore, MemoryStore } from "effect-lifecycle/store"
 * import assert from "node:assert/strict"
 *
 * const stream = { category: "Ledger", id: "l-1" }
 * const append = (type: string) =>
 *   EventStore.EventStore.use((store) => store.append({ stream, expect: "any", events: [{ type, data: {} }] }))
 * const program = Effect.gen(function*() {
 *   const archive = yield* Archive.Archive
 *   yield* append("Booked")
 *   yield* append("YearClosed")
 *   yield* append("Booked")
 *   const wrong = yield* Effect.flip(archive.truncate(stream, { before: 3, keeps: { summary: "YearClosed" } }))
 *   assert.match(wrong.message, /version 3 is a "Booked"/)
 *   assert.equal(yield* archive.truncate(stream, { before: 2, keeps: { summary: "YearClosed" } }), 1)
 *
 *   yield* archive.archive(stream)
 *   assert.equal((yield* Effect.flip(append("Booked")))._tag, "StreamArchived")
 *   return yield* EventStore.EventStore.use((store) => Stream.runCollect(store.read(stream)))
 * })
 * const events = await Effect.runPromise(Effect.provide(program, MemoryStore.layer))
 * assert.deepEqual(events.map((event) => event.version), [2, 3])
 * ```
 *
 * @since 0.1.0
 */
import { Context, type Effect, type Option, Schema } from "effect"
import type { StreamId } from "./EventStore.ts"
import type { StoreUnavailable } from "./UnitOfWork.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Status {
  readonly version: number
  readonly archivedAt: Date | undefined
  /** The version of the first event that is there; 1 when nothing was truncated. */
  readonly firstVersion: number
}

/**
 * What stands for the events that are removed.
 *
 * @category models
 * @since 0.1.0
 */
export type Keeps =
  | { readonly summary: string }
  | { readonly snapshot: { readonly aggregate: string; readonly fingerprint: string } }

/**
 * A truncation that would have lost something, or of a stream that is not there.
 *
 * @category errors
 * @since 0.1.0
 */
export class CannotTruncate extends Schema.TaggedError<CannotTruncate>()("CannotTruncate", {
  category: Schema.String,
  id: Schema.String,
  before: Schema.Finite,
  reason: Schema.String
}) {
  override get message(): string {
    return `Stream ${this.category} ${this.id} cannot be truncated before version ${this.before}: ${this.reason}`
  }
}

/**
 * @category services
 * @since 0.1.0
 */
export class Archive extends Context.Service<Archive, {
  /** Refuses appends from now on; whether the stream exists. */
  readonly archive: (stream: StreamId) => Effect.Effect<boolean, StoreUnavailable>
  /** Takes appends again; whether the stream exists. */
  readonly restore: (stream: StreamId) => Effect.Effect<boolean, StoreUnavailable>
  readonly status: (stream: StreamId) => Effect.Effect<Option.Option<Status>, StoreUnavailable>
  /** Removes the events below `before`; how many there were. */
  readonly truncate: (
    stream: StreamId,
    options: {
      /** The version of the first event to keep. */
      readonly before: number
      readonly keeps: Keeps
    }
  ) => Effect.Effect<number, StoreUnavailable | CannotTruncate>
}>()("effect-lifecycle/store/Archive") {}
