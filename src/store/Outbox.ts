/**
 * Messages to others, kept in the transaction that decides to send them, and published after it.
 *
 * `enqueue` writes a message as part of the open transaction: it exists exactly when the events beside it do. `relay` makes
 * messages of events afterwards instead, by a subscription: message and checkpoint share a transaction. `run` is the worker
 * that publishes, with a `publish` of your own; as many processes as you like may run one.
 *
 * A worker claims messages for the time of a lease, by the database's clock, and renews it while it publishes. When it dies,
 * they are free for another after the lease. The token of a claim rises with every claim: whoever comes back too late
 * settles nothing, and a broker that knows fencing can compare `message.token`.
 *
 * Messages with the same topic and key are published in the order in which their transactions committed: none is claimed
 * before the one before it is done. What fails is tried again by `retry`, for all workers together, and after `attempts` it
 * is a dead letter. Then `poison` decides: `pause` (the default) holds back the later messages of that key until
 * `redeliver` or `discard`; `skip` goes on with them. Other keys never wait.
 *
 * **Gotchas**
 *
 * - Each message is published once while nothing crashes. A worker that dies, or loses the store for longer than its lease,
 *   between publishing and saying so leaves a message that is published again: the receiver removes repeats by its id, as
 *   `Inbox` does. No outbox over a broker can do better.
 * - Enqueuing under a key waits for other open transactions that have enqueued under it. Give messages of several keys to
 *   one `enqueueAll`, which takes them in one order; in different orders two transactions can deadlock, and one of them
 *   fails with `StoreUnavailable`.
 * - What is not published within the `timeout` is interrupted and counts as a failure, and may have gone out all the same. A
 *   `publish` that cannot be interrupted is waited for, because another attempt beside it would send the message twice.
 * - Messages without a key have no order. One that is delayed holds back its key.
 * - An id is taken until its message is pruned. Enqueuing it again meanwhile writes nothing.
 * - A `redeliver`ed message of the policy `skip` comes after the later ones of its key.
 *
 * @example
 * ```ts
 * import { Effect, Queue } from "effect"
 * import { EventStore, MemoryStore, Outbox, UnitOfWork } from "effect-lifecycle/store"
 * import assert from "node:assert/strict"
 *
 * const program = Effect.gen(function*() {
 *   const outbox = yield* Outbox.Outbox
 *   const store = yield* EventStore.EventStore
 *   const unit = yield* UnitOfWork.UnitOfWork
 *   const sent = yield* Queue.unbounded<string>()
 *   yield* Effect.forkChild(outbox.run({
 *     publish: (message) => Queue.offer(sent, `${message.topic} ${message.key} ${JSON.stringify(message.payload)}`)
 *   }))
 *   // The event and the message, or neither.
 *   yield* unit.run(Effect.gen(function*() {
 *     const stream = { category: "Order", id: "o-1" }
 *     yield* store.append({ stream, expect: "noStream", events: [{ type: "OrderPlaced", data: {} }] })
 *     yield* outbox.enqueue({ topic: "orders", key: "o-1", payload: { placed: true } })
 *   }))
 *   return yield* Queue.take(sent)
 * })
 * assert.equal(await Effect.runPromise(Effect.provide(program, MemoryStore.layer)), `orders o-1 {"placed":true}`)
 * ```
 *
 * @since 0.1.0
 */
import { type Cause, Context, type Duration, Effect, Layer, type Schedule, Schema } from "effect"
import { InvalidOption } from "../resilience/InvalidOption.ts"
import * as EventMeta from "./EventMeta.ts"
import type { StoredEvent } from "./EventStore.ts"
import { loud } from "./internal/background.ts"
import { checked, workerName } from "./internal/outbox/settings.ts"
import { type Options as SubscriptionOptions, Subscriptions } from "./Subscription.ts"
import type { StoreUnavailable } from "./UnitOfWork.ts"

/**
 * A message to publish.
 *
 * @category models
 * @since 0.1.0
 */
export interface NewMessage {
  /** What the receiver tells repeats by, 1 to 255 characters; a UUID is made when absent. One tenant uses it once. */
  readonly id?: string | undefined
  /** Where to: a topic, a queue, an exchange, an address. 1 to 255 characters. */
  readonly topic: string
  /** Messages of one topic and key keep their order. Without a key a message has none. 1 to 255 characters. */
  readonly key?: string | undefined
  /** Any JSON value. */
  readonly payload: unknown
  /** Beside the request, correlation, causation, actor and trace ids of the running request, over which they win. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Not before this time has passed; at once when absent. */
  readonly delay?: Duration.Input | undefined
}

/**
 * A message as `publish` gets it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Message {
  readonly id: string
  readonly tenant: string
  readonly topic: string
  readonly key: string | undefined
  readonly payload: unknown
  readonly headers: Readonly<Record<string, string>>
  /** Rises with the order of enqueuing within a topic and key. */
  readonly sequence: bigint
  /** When it was enqueued, by the store's clock. */
  readonly at: Date
  /** 1 the first time. */
  readonly attempt: number
  /** Rises with every claim of this message. */
  readonly token: bigint
}

/**
 * A message that was given up, and why.
 *
 * @category models
 * @since 0.1.0
 */
export interface DeadLetter extends Omit<Message, "attempt" | "token"> {
  readonly attempts: number
  /** What `publish` failed with the last time. */
  readonly reason: string
  /** When it was given up. */
  readonly diedAt: Date
  /** Whether later messages of its key wait for it. */
  readonly pausesKey: boolean
}

/**
 * Where an outbox stands.
 *
 * @category models
 * @since 0.1.0
 */
export interface Status {
  /** To be published, those in flight included. */
  readonly pending: number
  /** Claimed by a worker at this moment. */
  readonly inFlight: number
  readonly dead: number
  /** How many keys wait behind a dead letter. */
  readonly pausedKeys: number
  /** The age of the oldest pending message, in milliseconds; `undefined` when there is none. */
  readonly oldestMillis: number | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options<E, R> {
  /** Publishes one message, in its tenant. When it succeeds, the message is done; what it throws counts as a failure. */
  readonly publish: (message: Message) => Effect.Effect<void, E, R>
  /** Only messages of these topics; all when absent. */
  readonly topics?: ReadonlyArray<string> | undefined
  /** How many messages this worker holds at most, 1 to 10000; 100 when absent. */
  readonly batchSize?: number | undefined
  /** How many it publishes at once; 16 when absent. */
  readonly concurrency?: number | undefined
  /** After how long without a sign of life others may take its messages, from 100 ms; 30 seconds when absent. */
  readonly lease?: Duration.Input | undefined
  /** How long `publish` may take for one message; a minute, or the lease if longer, when absent. */
  readonly timeout?: Duration.Input | undefined
  /**
   * When a message that failed is tried again; after 1, 2, 4 seconds and so on up to 5 minutes, with jitter, when absent. It
   * is played from its start for each failure, because the next attempt may be another process's. Where it ends, the
   * message is dead.
   */
  readonly retry?: Schedule.Schedule<unknown, Cause.Cause<unknown>> | undefined
  /** After how many attempts a message is dead; 10 when absent. A claim whose worker died counts. */
  readonly attempts?: number | undefined
  /** What happens to the later messages of the key of a dead one; `pause` when absent. */
  readonly poison?: "pause" | "skip" | undefined
  /** How long the worker waits for what it is publishing when it is interrupted; 10 seconds when absent. */
  readonly drain?: Duration.Input | undefined
  /** How long a published message is kept, and its id taken; 7 days when absent. */
  readonly retention?: Duration.Input | undefined
}

/**
 * A message that no store could take.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidMessage extends Schema.TaggedError<InvalidMessage>()("InvalidMessage", {
  field: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `Invalid message: ${this.field} ${this.reason}`
  }
}

/**
 * @category services
 * @since 0.1.0
 */
export class Outbox extends Context.Service<Outbox, {
  /** Keeps a message in the open transaction, for the ambient tenant, and answers its id. */
  readonly enqueue: (message: NewMessage) => Effect.Effect<string, StoreUnavailable | InvalidMessage>
  /** Keeps several, all or none. */
  readonly enqueueAll: (
    messages: ReadonlyArray<NewMessage>
  ) => Effect.Effect<ReadonlyArray<string>, StoreUnavailable | InvalidMessage>
  /** Publishes what is there and what comes, of all tenants, until it is interrupted. */
  readonly run: <E, R>(options: Options<E, R>) => Effect.Effect<never, InvalidOption, R>
  readonly status: (
    options?: { readonly topics?: ReadonlyArray<string> | undefined }
  ) => Effect.Effect<Status, StoreUnavailable>
  /** What was given up, of all tenants, the oldest first; 100 at most when no limit is given. */
  readonly deadLetters: (
    options?: { readonly topics?: ReadonlyArray<string> | undefined; readonly limit?: number | undefined }
  ) => Effect.Effect<ReadonlyArray<DeadLetter>, StoreUnavailable>
  /** Gives a dead letter of the ambient tenant all its attempts again; `false` when there is none. */
  readonly redeliver: (id: string) => Effect.Effect<boolean, StoreUnavailable>
  /** Gives up a dead letter of the ambient tenant for good, and lets its key go on; `false` when there is none. */
  readonly discard: (id: string) => Effect.Effect<boolean, StoreUnavailable>
  /** Removes what was published or discarded longer ago, and answers how many. Workers do so by their `retention`. */
  readonly prune: (olderThan: Duration.Input) => Effect.Effect<number, StoreUnavailable>
}>()("effect-lifecycle/store/Outbox") {}

/**
 * Runs a worker for as long as the layer lives. Wrong options fail the layer; what stops it later is logged.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <E, R>(options: Options<E, R>): Layer.Layer<never, InvalidOption, Outbox | R> =>
  Layer.effectDiscard(Effect.gen(function*() {
    const outbox = yield* Outbox
    const settings = checked("Outbox.layer", options)
    if (settings instanceof InvalidOption) return yield* settings
    yield* Effect.forkScoped(loud(workerName(options.topics))(outbox.run(options)))
  }))

/**
 * Makes messages of events, by a subscription of the given name. Each event is handled once: its messages and the checkpoint
 * are in one transaction. Where no id is given, it is that of the event with the name and the message's place.
 *
 * @category constructors
 * @since 0.1.0
 */
export const relay = <E, R>(
  options: Omit<SubscriptionOptions<E, R>, "handle"> & {
    /** The messages that follow from an event; none for most. */
    readonly messages: (event: StoredEvent) => Effect.Effect<ReadonlyArray<NewMessage>, E, R>
  }
): Effect.Effect<never, InvalidOption, Outbox | Subscriptions | R> =>
  Effect.gen(function*() {
    const { messages, name, ...rest } = options
    // The ids of its messages are longer than its name.
    if (name.length > 200) {
      return yield* new InvalidOption({
        module: "Outbox.relay",
        option: "name",
        value: JSON.stringify(name),
        allowed: "1 to 200 characters"
      })
    }
    const outbox = yield* Outbox
    const subscriptions = yield* Subscriptions
    return yield* subscriptions.run({
      ...rest,
      name,
      handle: (event) =>
        messages(event).pipe(
          Effect.flatMap((made) =>
            outbox.enqueueAll(
              made.map((message, place) => ({ ...message, id: message.id ?? `${event.id}/${name}/${place}` }))
            )
          ),
          EventMeta.causedBy(event)
        )
    })
  })
