/**
 * Every message once, at the receiver: what has been handled is remembered in the transaction that handled it.
 *
 * Brokers and outboxes deliver at least once. `once` runs an effect for a message that is new, in one transaction with the
 * record of its id, and answers `None` for one that has been handled. What the effect writes to the same store happens
 * exactly once, however often the message comes and wherever the process dies.
 *
 * Two deliveries of a message at once take turns: the second waits for the transaction of the first, skips when it commits,
 * and runs when it rolls back.
 *
 * **Gotchas**
 *
 * - Only writes to the same store are exactly once. A call to another service inside the effect is repeated when the
 *   transaction that made it does not commit.
 * - A message is forgotten when it is pruned. Keep it longer than the sender can repeat it; the `retention` of an `Outbox` and
 *   the time an operator may take to redeliver a dead letter count.
 * - `source` names who made the ids and who handles them, such as `billing < orders`: two handlers of one message need two.
 * - An effect that fails inside a transaction that is open already leaves no record, also where that failure is caught; what
 *   else it wrote then stays, as with every `UnitOfWork`.
 *
 * @example
 * ```ts
 * import { Effect, Option } from "effect"
 * import { Inbox, MemoryStore } from "effect-lifecycle/store"
 * import assert from "node:assert/strict"
 *
 * let shipped = 0
 * const program = Effect.gen(function*() {
 *   const inbox = yield* Inbox.Inbox
 *   const deliver = inbox.once({ source: "shipping < orders", id: "m-1" }, Effect.sync(() => ++shipped))
 *   return [yield* deliver, yield* deliver]
 * })
 * const answers = await Effect.runPromise(Effect.provide(program, MemoryStore.layer))
 * assert.deepEqual(answers, [Option.some(1), Option.none()])
 * ```
 *
 * @since 0.1.0
 */
import { Context, type Duration, type Effect, type Option, Schema } from "effect"
import type { StoreUnavailable } from "./UnitOfWork.ts"

/**
 * Which message, of the ambient tenant.
 *
 * @category models
 * @since 0.1.0
 */
export interface Received {
  /** Whose ids these are, and who handles them; 1 to 255 characters. */
  readonly source: string
  /** The same for every delivery of the message; 1 to 255 characters. */
  readonly id: string
}

/**
 * A source or an id that no store could take. A message without an id cannot be told from its repetition.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidReceived extends Schema.TaggedError<InvalidReceived>()("InvalidReceived", {
  field: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `A message cannot be received once: its ${this.field} ${this.reason}`
  }
}

/**
 * @category services
 * @since 0.1.0
 */
export class Inbox extends Context.Service<Inbox, {
  /** Runs the effect when the message is new; `None` when it has been handled before. */
  readonly once: <A, E, R>(
    message: Received,
    effect: Effect.Effect<A, E, R>
  ) => Effect.Effect<Option.Option<A>, E | StoreUnavailable | InvalidReceived, R>
  /** Whether the message has been handled. */
  readonly seen: (message: Received) => Effect.Effect<boolean, StoreUnavailable>
  /** Lets the message be handled again; `false` when it has not been handled. */
  readonly forget: (message: Received) => Effect.Effect<boolean, StoreUnavailable>
  /** Forgets what was handled longer ago, of all tenants, and answers how many messages that were. */
  readonly prune: (olderThan: Duration.Input) => Effect.Effect<number, StoreUnavailable>
}>()("effect-lifecycle/store/Inbox") {}
