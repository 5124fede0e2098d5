import { Effect, type Schedule, type Scope } from "effect"
import type { StoreUnavailable } from "../../store/UnitOfWork.ts"
import type { Refused } from "../DomainError.ts"
import type { Attempted, Hooks, Stored } from "../Hooks.ts"
import { attempts } from "./attempts.ts"
import { hookFailed } from "./report.ts"

type HookList = ReadonlyArray<Hooks>

export const beforeCommand = (hooks: HookList, command: Attempted): Effect.Effect<void, Refused> =>
  inOrder(hooks, (hook) => hook.beforeCommand?.(command))

export const beforeStore = (
  hooks: HookList,
  command: Attempted,
  events: ReadonlyArray<{ readonly _tag: string }>
): Effect.Effect<void, Refused | StoreUnavailable> => inOrder(hooks, (hook) => hook.beforeStore?.(command, events))

/** Runs the hooks after `self`; their failures are reported and the exit of `self` stands. */
export const withAfterCommand = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  hooks: HookList,
  command: Attempted
): Effect.Effect<A, E, R> =>
  hooks.some((hook) => hook.afterCommand !== undefined)
    ? Effect.onExit(self, (exit) =>
      Effect.forEach(hooks, (hook) =>
        Effect.catchCause(
          Effect.suspend(() => hook.afterCommand?.(command, exit) ?? Effect.void),
          () => hookFailed("afterCommand", command.name, 1, false)
        ), { discard: true }))
    : self

/**
 * Starts the hooks in `scope`, each with its own retries. What a hook does synchronously has happened when this ends; for
 * the rest nobody waits.
 */
export const afterStore = (
  hooks: HookList,
  command: Attempted,
  events: ReadonlyArray<Stored>,
  options: { readonly scope: Scope.Scope; readonly schedule: Schedule.Schedule<unknown, unknown> }
): Effect.Effect<void> =>
  inOrder(hooks, (hook) =>
    hook.afterStore === undefined
      ? undefined
      : Effect.suspend(() => hook.afterStore?.(command, events) ?? Effect.void).pipe(
        (listener) =>
          attempts(
            listener,
            options.schedule,
            (attempt, willRetry) => hookFailed("afterStore", command.name, attempt, willRetry)
          ),
        Effect.ignoreCause,
        Effect.forkIn(options.scope, { startImmediately: true })
      ))

const inOrder = <E>(
  hooks: HookList,
  run: (hook: Hooks) => Effect.Effect<unknown, E> | undefined
): Effect.Effect<void, E> =>
  hooks.length === 0 ? Effect.void : Effect.forEach(hooks, (hook) => run(hook) ?? Effect.void, { discard: true })
