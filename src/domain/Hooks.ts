/**
 * Functions that run at fixed points of every command, on every way in.
 *
 * - `beforeCommand`: before anything else, no transaction yet; may refuse.
 * - `beforeStore`: inside the transaction, sees the events that were decided; may refuse, and then nothing is kept.
 * - `afterStore`: after the commit, sees the events with their versions. It runs beside the caller, who does not wait for
 *   it. A failure is reported (`HookFailed`) and retried; it cannot change the result.
 * - `afterCommand`: last, sees the result, the error or the defect. Its own failure is reported and otherwise ignored.
 *
 * Hooks are given to `Domain.toLayer`, for its commands, or put around an effect with `Hooks.within`, for the commands that it
 * sends. Those of the layer run first. Several run in their order, and the first that refuses ends the command.
 *
 * **Gotchas**
 *
 * - On a conflict the command is decided again, so `beforeStore` may run more than once; `beforeCommand`, `afterStore` and
 *   `afterCommand` run at most once.
 * - A replayed command (same command id) stores nothing, so neither `beforeStore` nor `afterStore` runs.
 * - `afterStore` is lost when the process dies, or its layer closes, between the commit and the hook. What must not be lost
 *   belongs into the transaction.
 * - In a `Domain.transaction`, `beforeCommand` runs inside the transaction of the unit and `afterCommand` before its
 *   commit; `afterStore` runs after the one commit, or not at all.
 * - Events are told to their handlers (`Domain.eventHandler`) after `afterStore` was started and before `afterCommand`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { DomainError, type Hooks } from "effect-lifecycle/domain"
 * import assert from "node:assert/strict"
 *
 * const onlyOpenAccounts: Hooks.Hooks = {
 *   beforeCommand: (command) =>
 *     command.name === "accounts.Close"
 *       ? new DomainError.Refused({ name: command.name, reason: "closing is switched off" })
 *       : Effect.void
 * }
 *
 * const command = { name: "accounts.Close", payload: {}, aggregate: undefined, commandId: undefined, expectedVersion: undefined }
 * const error = await Effect.runPromise(Effect.flip(onlyOpenAccounts.beforeCommand!(command)))
 * assert.equal(error.message, "\"accounts.Close\" was refused: closing is switched off")
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, type Exit } from "effect"
import { dual } from "effect/Function"
import type { StoreUnavailable } from "../store/UnitOfWork.ts"
import type { Refused } from "./DomainError.ts"

/**
 * The command that a hook or a middleware sees.
 *
 * @category models
 * @since 0.1.0
 */
export interface Attempted {
  /** The tag, such as `orders.Place`. */
  readonly name: string
  /** The payload, decoded; of the type that the definition with this name has. */
  readonly payload: unknown
  /** The aggregate that decides it; absent for a command that a function handles. */
  readonly aggregate: { readonly name: string; readonly id: string } | undefined
  readonly commandId: string | undefined
  readonly expectedVersion: number | undefined
}

/**
 * An event in the stream it was stored in.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stored {
  readonly type: string
  /** Its place in the stream of its aggregate. */
  readonly version: number
  /** The event's value, with `_tag`. */
  readonly event: { readonly _tag: string }
  readonly meta: Readonly<Record<string, string>>
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Hooks<out R = never> {
  readonly beforeCommand?: (command: Attempted) => Effect.Effect<void, Refused, R>
  readonly beforeStore?: (
    command: Attempted,
    events: ReadonlyArray<{ readonly _tag: string }>
  ) => Effect.Effect<void, Refused | StoreUnavailable, R>
  readonly afterStore?: (command: Attempted, events: ReadonlyArray<Stored>) => Effect.Effect<void, unknown, R>
  readonly afterCommand?: (command: Attempted, exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void, unknown, R>
}

/**
 * The hooks around the running effect; those of `Domain.toLayer` run before them.
 *
 * @category references
 * @since 0.1.0
 */
export const Current = Context.Reference<ReadonlyArray<Hooks>>("effect-lifecycle/domain/Hooks", {
  defaultValue: () => []
})

/**
 * Adds hooks to the commands that `self` sends.
 *
 * @category combinators
 * @since 0.1.0
 */
export const within: {
  (hooks: Hooks): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, hooks: Hooks): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, hooks: Hooks): Effect.Effect<A, E, R> =>
    Effect.updateService(self, Current, (outer) => [...outer, hooks])
)
