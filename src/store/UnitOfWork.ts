/**
 * One transaction over everything a command writes: events, current state and the record of its idempotency key.
 *
 * `run` opens a transaction, or joins the one that is open: what runs inside several nested `run`s commits once, at the
 * end of the outermost. A failure, a defect or an interruption rolls all of it back. `afterCommit` registers work for
 * after that one commit and drops it on a rollback.
 *
 * **Gotchas**
 *
 * - After-commit work is lost when the process dies between the commit and the work. What must not be lost belongs into
 *   the transaction itself.
 * - Only the outermost `run` decides: a nested one that fails, and whose failure is caught, keeps what it wrote. Let the
 *   failure leave the outermost `run`, or write after everything that can fail.
 * - A lost connection or a restarting server is one typed {@link StoreUnavailable}, wherever the driver raised it.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { EventStore, MemoryStore, UnitOfWork } from "effect-lifecycle/store"
 * import assert from "node:assert/strict"
 *
 * const stream = { category: "Order", id: "o-1" }
 * const program = Effect.gen(function*() {
 *   const unit = yield* UnitOfWork.UnitOfWork
 *   const store = yield* EventStore.EventStore
 *   const write = store.append({ stream, expect: "any", events: [{ type: "OrderPlaced", data: {} }] })
 *   yield* Effect.exit(unit.run(Effect.andThen(write, Effect.fail("changed my mind"))))
 *   return yield* store.version(stream)
 * })
 * assert.equal(await Effect.runPromise(Effect.provide(program, MemoryStore.layer)), 0)
 * ```
 *
 * @since 0.1.0
 */
import { Context, type Effect, Schema } from "effect"

/**
 * The store could not be reached, or went away in the middle. Nothing of the transaction was kept, unless the connection
 * was lost while it committed: repeat the command under the same command id and it happens once.
 *
 * @category errors
 * @since 0.1.0
 */
export class StoreUnavailable extends Schema.TaggedError<StoreUnavailable>()("StoreUnavailable", {
  operation: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `The store is unavailable (${this.operation}: ${this.reason}). Check that PostgreSQL is running; repeating under the same command id is safe`
  }
}

/**
 * @category services
 * @since 0.1.0
 */
export class UnitOfWork extends Context.Service<UnitOfWork, {
  /** Runs `effect` in the open transaction, or in a new one that commits when it succeeds. */
  readonly run: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | StoreUnavailable, R>
  /** Runs `effect` after the outermost commit; outside a transaction, at once. */
  readonly afterCommit: <R>(effect: Effect.Effect<void, never, R>) => Effect.Effect<void, never, R>
  /** Whether a transaction is open on this fiber. */
  readonly isOpen: Effect.Effect<boolean>
}>()("effect-lifecycle/store/UnitOfWork") {}
