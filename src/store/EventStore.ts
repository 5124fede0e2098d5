/**
 * The memory of decisions: append-only streams of events with an expected version.
 *
 * A stream is named by tenant, category and id. Its events are numbered from 1 without gaps. An append says which version
 * it was decided on; when the stream has moved, the append writes nothing and returns a `Conflict` with the actual
 * version, as data, so that an enclosing transaction is not broken by it.
 *
 * An append happens once when it can be recognised: by its command id, or by the ids of its events. Where the stream has
 * that command id, or has all the events that came with an id, at the places they have in the append, nothing is written
 * and the first result comes back, marked `replayed`, whatever the expectation. Where only some of the ids are there, or
 * at other places, the append is no repetition and fails as {@link InvalidAppend}, naming the event and its version.
 *
 * A stream belongs to a tenant, the ambient one of `Tenant` where none is named. Events get the metadata of the running
 * request, as `EventMeta` says.
 *
 * **Gotchas**
 *
 * - Order is `version` within a stream and `position` in the store. `at` is a wall clock: it can stand still or go back.
 * - Event ids are looked up within the stream. Ids that the store made are not looked up, because they are new.
 * - A caller that is interrupted while its append is on the way does not know whether it was stored. Repeat it under the
 *   same command id.
 *
 * @example
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { EventStore, MemoryStore } from "effect-lifecycle/store"
 * import assert from "node:assert/strict"
 *
 * const stream = { category: "Order", id: "o-1" }
 * const program = Effect.gen(function*() {
 *   const store = yield* EventStore.EventStore
 *   yield* store.append({ stream, expect: "noStream", events: [{ type: "OrderPlaced", data: { total: 5 } }] })
 *   const late = yield* store.append({ stream, expect: 0, events: [{ type: "OrderPlaced", data: { total: 6 } }] })
 *   assert.deepEqual(late, { _tag: "Conflict", expected: 0, actual: 1 })
 *   return yield* Stream.runCollect(store.read(stream, { direction: "backwards", limit: 1 }))
 * })
 * const [event] = await Effect.runPromise(Effect.provide(program, MemoryStore.layer))
 * assert.deepEqual([event?.version, event?.data], [1, { total: 5 }])
 * ```
 *
 * @since 0.1.0
 */
import { Context, type Effect, type Option, Schema, type Stream } from "effect"
import type { StoreUnavailable } from "./UnitOfWork.ts"

/**
 * What the writer believes about the stream: its exact version (`0` is the same as `noStream`), that it does not exist,
 * that it does, or nothing.
 *
 * @category models
 * @since 0.1.0
 */
export type Expectation = "any" | "noStream" | "streamExists" | number

/**
 * @category models
 * @since 0.1.0
 */
export interface StreamId {
  /** Part of the stream's identity; the ambient `Tenant` when absent. */
  readonly tenant?: string | undefined
  /** The kind of aggregate, such as `Order`. */
  readonly category: string
  readonly id: string
}

/**
 * @category models
 * @since 0.1.0
 */
export interface NewEvent {
  /** A UUID, which makes the append of it repeatable; made when absent. */
  readonly id?: string | undefined
  readonly type: string
  /** The version of the payload's schema; 1 when absent. */
  readonly schemaVersion?: number | undefined
  /**
   * A JSON value. As `JSON.stringify` writes it, so a `Date` comes back as text, a field that is `undefined` or a function is
   * left out, and what is no number is `null`; a cycle or a `bigint` is refused. Encode by a Schema what is more than JSON.
   */
  readonly data: unknown
  /** Strings that are safe to keep. They win over those of `EventMeta`, which are added. */
  readonly meta?: Readonly<Record<string, string>> | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface StoredEvent {
  /** Place in the whole store; rises within a stream, may have gaps. */
  readonly position: bigint
  readonly stream: Required<{ readonly [K in keyof StreamId]: NonNullable<StreamId[K]> }>
  /** Place in the stream: 1, 2, 3, without gaps. */
  readonly version: number
  readonly id: string
  readonly type: string
  readonly schemaVersion: number
  readonly data: unknown
  readonly meta: Readonly<Record<string, string>>
  /** When it was stored, by the store's clock. */
  readonly at: Date
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Append {
  readonly stream: StreamId
  readonly expect: Expectation
  readonly events: ReadonlyArray<NewEvent>
  /** Makes the append idempotent: one command id writes to one stream once. */
  readonly commandId?: string | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Appended {
  readonly _tag: "Appended"
  /** Version of the first event written. */
  readonly firstVersion: number
  /** Version of the stream after the append. */
  readonly version: number
  /** Position of the last event written. */
  readonly position: bigint
  /** The command id or the events had been appended before; nothing was written now. */
  readonly replayed: boolean
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Conflict {
  readonly _tag: "Conflict"
  readonly expected: Expectation
  /** The stream's version; 0 when it does not exist. */
  readonly actual: number
}

/**
 * @category models
 * @since 0.1.0
 */
export type AppendResult = Appended | Conflict

/**
 * @category models
 * @since 0.1.0
 */
export interface ReadOptions {
  /** First version to read (inclusive); the start, or the end when backwards. */
  readonly from?: number | undefined
  readonly direction?: "forwards" | "backwards" | undefined
  readonly limit?: number | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface ReadAllOptions {
  /** Exclusive; the start when absent. */
  readonly after?: bigint | undefined
  /** Inclusive; the end when absent. */
  readonly upTo?: bigint | undefined
  readonly limit?: number | undefined
  /** Only events of these types. */
  readonly types?: ReadonlyArray<string> | undefined
  /** Only events of streams of these categories. */
  readonly categories?: ReadonlyArray<string> | undefined
  /** Whose events; those of the ambient `Tenant` when absent. `"all"` reads across tenants. */
  readonly tenants?: ReadonlyArray<string> | "all" | undefined
  /** Only events of the streams in one of `of` equal shares, counted from 0. A stream's share never changes. */
  readonly share?: { readonly of: number; readonly index: number } | undefined
}

/**
 * An append that no store could take: no events, a name that is empty or too long, an event id that is taken.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidAppend extends Schema.TaggedError<InvalidAppend>()("InvalidAppend", {
  field: Schema.String,
  reason: Schema.String,
  stream: Schema.optionalKey(
    Schema.Struct({ tenant: Schema.String, category: Schema.String, id: Schema.String })
  ),
  /** Of the event that `field` is in. */
  type: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    const { field, reason, stream, type } = this
    const to = stream === undefined ? "" : ` to ${brief(stream.category)} ${brief(stream.id)}`
    return `Invalid append${to}: ${field}${type === undefined ? "" : ` (${brief(type)})`} ${reason}`
  }
}

/** A name that may be the very thing that is wrong. */
const brief = (name: string): string => JSON.stringify(name.length > 64 ? `${name.slice(0, 64)}…` : name)

/**
 * An append to a stream that was archived.
 *
 * @category errors
 * @since 0.1.0
 */
export class StreamArchived extends Schema.TaggedError<StreamArchived>()("StreamArchived", {
  category: Schema.String,
  id: Schema.String
}) {
  override get message(): string {
    return `Stream ${this.category} ${this.id} is archived and takes no events. Restore it with Archive.restore first`
  }
}

/**
 * @category services
 * @since 0.1.0
 */
export class EventStore extends Context.Service<EventStore, {
  readonly append: (append: Append) => Effect.Effect<AppendResult, StoreUnavailable | InvalidAppend | StreamArchived>
  /**
   * All or nothing. The results are in the order of the appends. One conflict and none is written: then every result is a
   * `Conflict`, that of the stream to blame with the version it met, the others with the version their stream still has;
   * only an append that had happened before, under its command id, still says so.
   */
  readonly appendAll: (
    appends: ReadonlyArray<Append>
  ) => Effect.Effect<ReadonlyArray<AppendResult>, StoreUnavailable | InvalidAppend | StreamArchived>
  readonly read: (stream: StreamId, options?: ReadOptions) => Stream.Stream<StoredEvent, StoreUnavailable>
  /** Every event of the tenant after a position, in order of position. */
  readonly readAll: (options?: ReadAllOptions) => Stream.Stream<StoredEvent, StoreUnavailable>
  /** The stream's version; 0 when it does not exist. */
  readonly version: (stream: StreamId) => Effect.Effect<number, StoreUnavailable>
  /** What a command id appended to a stream, when it has. */
  readonly findAppend: (
    stream: StreamId,
    commandId: string
  ) => Effect.Effect<Option.Option<Appended>, StoreUnavailable>
}>()("effect-lifecycle/store/EventStore") {}
