/**
 * Every event to a handler, in order, without a gap: first what is stored, then what is appended.
 *
 * A subscription has a name and checkpoints under it. Events go to the handler in a transaction that also moves the
 * checkpoint, so what a handler writes to the same store happens exactly once, also when the process dies in the middle.
 *
 * Any number of processes may run one name. They divide its `partitions` between them: every stream belongs to one
 * partition, so its events stay in order, and every partition has one owner at a time. Owners that come or go are noticed
 * by the others, at the latest after 2 seconds. An owner renews its `lease` for as long as it works, also while one batch
 * takes longer than that. One that dies or hangs keeps its partitions until the lease ends, by the database's clock; then
 * others take them over under a new token, and a commit under the old one is refused, together with everything that its
 * transaction wrote.
 *
 * A position is delivered only when nothing below it can still appear. Positions are given out before a commit, so a
 * reader that goes on from the highest position it saw loses the events of slower writers. Here a high-water mark
 * moves over positions that follow each other without a gap; at a gap it notes who is writing at that moment, and goes on
 * when those transactions have ended, however they ended. Writers pay nothing for it, nothing depends on a time-out, and
 * only transactions that append to this store can delay it.
 *
 * Appends of the same process wake it at once. Other processes wake it by a `NOTIFY`, sent outside the append and at most
 * once in 10 ms; a poll finds what no notification told.
 *
 * A handler that fails, throws or takes too long is tried again by `retry`. Then `poison` decides: `pause` (the default) stops before the event until
 * `resume`, `skip` keeps the event as a dead letter and goes on. Nothing is skipped in silence. An unavailable store is
 * no fault of the event: it is waited for, also when the handler's own statements found it so.
 *
 * **Gotchas**
 *
 * - Where a handler returns `Effect.void` itself for all events of a batch, there was nothing to do: while more of a backlog
 *   waits, the checkpoint follows within a second and not with the batch, and a process that dies gets such events again.
 * - Only writes to the same store are exactly once. A mail that the handler sends is sent again when the transaction that
 *   sent it did not commit: make it repeatable by the event's id, or keep it in the store and send it after.
 * - Up to `batchSize` events share a transaction. When one fails, the batch is undone and handled again one by one. Set
 *   `batchSize: 1` for a slow handler or one with effects outside.
 * - `awaitPosition` waits for a commit, so it dies inside a transaction; so do `run` and `events`.
 * - What is not handled within the `timeout` is undone and counts as a failure of the handler. Give slow handlers a longer
 *   one; a process that dies is replaced after the lease all the same.
 * - Renewing takes a connection, and so does every partition that is handling. Where long turns take the whole pool, the
 *   lease ends while they work, and another owner does the work again. A handler that blocks the event loop does the same.
 * - A process that is frozen, not dead, keeps the row locks of its open transaction until it ends; another one that writes
 *   the same rows waits for them. `idle_in_transaction_session_timeout` of PostgreSQL limits it.
 * - The number of partitions can change from one deployment to the next: whoever starts last decides. All partitions first
 *   go on to the position of the foremost one, and are divided anew there, so nothing is repeated or left out. A paused
 *   partition holds that up until it is resumed.
 * - Streams of one partition wait for each other, also at a pause. Each partition uses a connection while it handles.
 * - `redeliver` handles an event after later ones of its stream. While its letter is there its stream cannot be truncated
 *   beyond it; `discard` gives the letter up.
 * - On PostgreSQL it must read from the primary. Everything of one store listens on one connection of its pool; a pool of
 *   one or two has none to spare, so there the poll has to find what other processes append, and the log says so once.
 * - A long transaction that has appended holds back everything after it: keep them short.
 * - After a failover that lost commits, start the processes anew: positions they have passed are given out again.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { EventStore, MemoryStore, Subscription } from "effect-lifecycle/store"
 * import assert from "node:assert/strict"
 *
 * const totals = new Map<string, number>()
 * const program = Effect.gen(function*() {
 *   const store = yield* EventStore.EventStore
 *   const subscriptions = yield* Subscription.Subscriptions
 *   yield* Effect.forkChild(subscriptions.run({
 *     name: "totals",
 *     types: ["OrderPlaced"],
 *     handle: (event) =>
 *       Effect.sync(() => {
 *         totals.set(event.stream.id, (event.data as { total: number }).total)
 *       })
 *   }))
 *   const placed = yield* store.append({
 *     stream: { category: "Order", id: "o-1" },
 *     expect: "noStream",
 *     events: [{ type: "OrderPlaced", data: { total: 5 } }]
 *   })
 *   assert.equal(placed._tag, "Appended")
 *   // Read your own write: wait until the subscription has passed it.
 *   if (placed._tag === "Appended") yield* subscriptions.awaitPosition("totals", placed.position)
 *   return (yield* subscriptions.status("totals"))?.lag
 * })
 * assert.equal(await Effect.runPromise(Effect.provide(program, MemoryStore.layer)), 0n)
 * assert.equal(totals.get("o-1"), 5)
 * ```
 *
 * @since 0.1.0
 */
import { type Cause, Context, type Duration, Effect, Layer, type Schedule, Schema, type Stream } from "effect"
import { InvalidOption } from "../resilience/InvalidOption.ts"
import type { StoredEvent } from "./EventStore.ts"
import { loud } from "./internal/background.ts"
import { checked } from "./internal/subscription/settings.ts"
import type { StoreUnavailable } from "./UnitOfWork.ts"

/**
 * The subscription stands before an event that its handler cannot take.
 *
 * @category errors
 * @since 0.1.0
 */
export class SubscriptionPaused extends Schema.TaggedError<SubscriptionPaused>()("SubscriptionPaused", {
  subscription: Schema.String,
  position: Schema.BigInt,
  reason: Schema.String
}) {
  override get message(): string {
    return `The subscription "${this.subscription}" is paused before position ${this.position} and goes on after resume("${this.subscription}"): ${this.reason}`
  }
}

/**
 * The event of a dead letter is gone, so nothing can handle it.
 *
 * @category errors
 * @since 0.1.0
 */
export class EventTruncated extends Schema.TaggedError<EventTruncated>()("EventTruncated", {
  subscription: Schema.String,
  position: Schema.BigInt
}) {
  override get message(): string {
    return `The event at position ${this.position}, a dead letter of the subscription "${this.subscription}", has been truncated and cannot be redelivered. Give the letter up with discard("${this.subscription}", ${this.position}n)`
  }
}

/**
 * Which events. Without any filter, all of them, of all tenants.
 *
 * @category models
 * @since 0.1.0
 */
export interface Filter {
  /** Events of one of these types. */
  readonly types?: ReadonlyArray<string> | undefined
  /** Events of streams of one of these categories. */
  readonly categories?: ReadonlyArray<string> | undefined
  /** Events of streams of one of these tenants. */
  readonly tenants?: ReadonlyArray<string> | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options<E, R> extends Filter {
  /** The name of the checkpoint, 1 to 255 characters. */
  readonly name: string
  /** Handles one event, as its tenant, in the transaction that moves the checkpoint. */
  readonly handle: (event: StoredEvent) => Effect.Effect<void, E, R>
  /** Where a name without a checkpoint begins; at the `start` when absent. */
  readonly from?: "start" | "end" | undefined
  /** How many events share a transaction at most, 1 to 10000; 100 when absent. */
  readonly batchSize?: number | undefined
  /** When a handler that failed is tried again; three times, after 100, 200 and 400 ms, when absent. */
  readonly retry?: Schedule.Schedule<unknown, Cause.Cause<unknown>> | undefined
  /** What happens with an event that fails after all retries; `pause` when absent. */
  readonly poison?: "pause" | "skip" | undefined
  /** Among how many owners the streams can be divided, 1 to 256; 1 when absent. */
  readonly partitions?: number | undefined
  /** After how long a silent owner is replaced; 10 seconds when absent, 100 ms at least. */
  readonly lease?: Duration.Input | undefined
  /** How long the handler may take for what shares a transaction; a minute, or the lease if longer, when absent. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * An event that a subscription has skipped, and why.
 *
 * @category models
 * @since 0.1.0
 */
export interface DeadLetter {
  readonly position: bigint
  readonly stream: StoredEvent["stream"]
  readonly version: number
  readonly eventId: string
  readonly type: string
  /** Whether the event is gone, which only an older version allowed. What it was stands in `reason`, and nowhere else. */
  readonly truncated: boolean
  /** What the handler failed with the last time. */
  readonly reason: string
  readonly attempts: number
  readonly at: Date
}

/**
 * Where a subscription stands.
 *
 * @category models
 * @since 0.1.0
 */
export interface Status {
  /** Everything up to here has been handled, or was not asked for. */
  readonly position: bigint
  /** The highest position that is visible in the store. */
  readonly highest: bigint
  /** Positions between the two: an upper bound of the events to come. */
  readonly lag: bigint
  /** How long ago, by the store's clock, the first event after `position` was stored; 0 when there is none. */
  readonly lagMillis: number
  /** Of the first partition that is paused. */
  readonly paused: { readonly position: bigint; readonly reason: string } | undefined
  readonly deadLetters: number
  readonly partitions: ReadonlyArray<PartitionStatus>
  /** Who runs the subscription now, with or without a partition: one id for each `run`. */
  readonly owners: ReadonlyArray<string>
  /** How many partitions there will be, once all have reached the same position. */
  readonly dividingInto: number | undefined
}

/**
 * Where one partition stands.
 *
 * @category models
 * @since 0.1.0
 */
export interface PartitionStatus {
  readonly position: bigint
  /** One of the `owners`; `undefined` while nobody alive has it. */
  readonly owner: string | undefined
  readonly paused: { readonly position: bigint; readonly reason: string } | undefined
}

/**
 * How far this process knows the log to be complete.
 *
 * @category models
 * @since 0.1.0
 */
export interface HighWater {
  /** Nothing can appear at or below this position any more. */
  readonly mark: bigint
  /** The highest position that is visible. */
  readonly highest: bigint
  /** How long the mark has stood before the present gap, in milliseconds; `undefined` when it stands before none. */
  readonly gapMillis: number | undefined
  /** How many open transactions hold it there. */
  readonly holders: number
}

/**
 * @category services
 * @since 0.1.0
 */
export class Subscriptions extends Context.Service<Subscriptions, {
  /** Catches up and stays, until it is interrupted. */
  readonly run: <E, R>(options: Options<E, R>) => Effect.Effect<never, InvalidOption, R>
  /** Every event after a position, those to come included, without a checkpoint. `"end"` begins with what comes next. */
  readonly events: (
    options?: Filter & { readonly after?: bigint | "end" | undefined }
  ) => Stream.Stream<StoredEvent>
  /** Waits until the subscription has handled everything up to the position; give it a time-out of your own. */
  readonly awaitPosition: (
    name: string,
    position: bigint
  ) => Effect.Effect<void, SubscriptionPaused | StoreUnavailable>
  /** `undefined` when the subscription has never run. */
  readonly status: (name: string) => Effect.Effect<Status | undefined, StoreUnavailable>
  /** The mark of this process, as of its last look. */
  readonly highWater: Effect.Effect<HighWater>
  /** Lets a paused subscription try its event again; `false` when it was not paused. */
  readonly resume: (name: string) => Effect.Effect<boolean, StoreUnavailable>
  /** What the subscription has skipped, in order of position. */
  readonly deadLetters: (name: string) => Effect.Effect<ReadonlyArray<DeadLetter>, StoreUnavailable>
  /**
   * Handles a dead letter and removes it, in one transaction; `false` when there is none at the position. The letter stays
   * where the handler fails.
   */
  readonly redeliver: <E, R>(
    name: string,
    position: bigint,
    handle: (event: StoredEvent) => Effect.Effect<void, E, R>
  ) => Effect.Effect<boolean, E | EventTruncated | StoreUnavailable, R>
  /** Gives a dead letter up for good; `false` when there is none at the position. */
  readonly discard: (name: string, position: bigint) => Effect.Effect<boolean, StoreUnavailable>
  /** Forgets a subscription with its checkpoints and dead letters, unless somebody runs it. */
  readonly remove: (name: string) => Effect.Effect<"removed" | "running" | "absent", StoreUnavailable>
}>()("effect-lifecycle/store/Subscription/Subscriptions") {}

/**
 * Runs a subscription for as long as the layer lives. Wrong options fail the layer; what stops it later is logged.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <E, R>(options: Options<E, R>): Layer.Layer<never, InvalidOption, Subscriptions | R> =>
  Layer.effectDiscard(Effect.gen(function*() {
    const subscriptions = yield* Subscriptions
    const limits = checked("Subscription.layer", options)
    if (limits instanceof InvalidOption) return yield* limits
    yield* Effect.forkScoped(loud(`The subscription "${options.name}"`)(subscriptions.run(options)))
  }))
