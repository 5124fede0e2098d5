/**
 * Where every room reports what happened, and where nobody pays when nobody listens.
 *
 * A recorder is an ordinary synchronous function held in a `Context.Reference`, or `undefined` (the default). Rooms neither
 * count nor log by themselves: they build a {@link Report} only when a recorder is present, inside the `withFiber` that
 * their hot path needs anyway. `observability/` turns reports into metrics, spans and log lines; a test collects them in an
 * array.
 *
 * **Gotchas**
 *
 * - A recorder runs on the request's own fiber: it must be quick and must not throw.
 * - Reports hold safe fields only: method, route template, path without its query, status, duration, request id and user
 *   id. No header, body, query string or event payload can reach one.
 * - All times are nanoseconds of the clock's monotonic time: differences are exact, a jump of the wall clock moves nothing.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Recorder } from "effect-lifecycle/lifecycle"
 * import assert from "node:assert/strict"
 *
 * const seen: Array<string> = []
 * const program = Recorder.report(() => ({ _tag: "HeaderIgnored", header: "x-request-timeout", reason: "not a number" }))
 *
 * await Effect.runPromise(program.pipe(Recorder.recordTo((report) => seen.push(report._tag))))
 * assert.deepEqual(seen, ["HeaderIgnored"])
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, type Fiber } from "effect"
import { dual } from "effect/Function"
import type * as request from "./internal/reports/request.ts"
import type * as guard from "./internal/reports/guard.ts"
import type * as store from "./internal/reports/store.ts"

export type {
  AttemptEnded,
  BudgetDenied,
  BudgetSpent,
  BulkheadMoved,
  BulkheadRefused,
  ChaosInjected,
  CircuitCalled,
  CircuitMoved,
  CircuitState,
  ConnectionReturned,
  ConnectionWaited,
  FallbackUsed,
  PoolMoved,
  RateLimitApplied,
  RetryDelayed
} from "./internal/reports/guard.ts"
export type {
  ClientAttemptEnded,
  ClientRequestEnded,
  DeadlineMissed,
  DefectCaught,
  EventLoopObserved,
  HeaderIgnored,
  ServerRequestEnded,
  ServerRequestStarted,
  StagesTimed,
  StageTimed
} from "./internal/reports/request.ts"
export type {
  CommandEnded,
  EventBuried,
  HookFailed,
  MessageReceived,
  MessageSettled,
  OutboxObserved,
  SagaEnded,
  SagaStepEnded,
  SnapshotIgnored,
  SubscriptionObserved
} from "./internal/reports/store.ts"

/**
 * Everything a room can report.
 *
 * @category models
 * @since 0.1.0
 */
export type Report =
  | request.StagesTimed
  | request.ServerRequestStarted
  | request.ServerRequestEnded
  | request.ClientRequestEnded
  | store.CommandEnded
  | store.HookFailed
  | store.SnapshotIgnored
  | request.HeaderIgnored
  | request.DeadlineMissed
  | request.DefectCaught
  | guard.AttemptEnded
  | request.ClientAttemptEnded
  | guard.RetryDelayed
  | guard.BudgetDenied
  | guard.BudgetSpent
  | guard.CircuitCalled
  | guard.CircuitMoved
  | guard.BulkheadMoved
  | guard.BulkheadRefused
  | guard.RateLimitApplied
  | guard.FallbackUsed
  | guard.ChaosInjected
  | guard.PoolMoved
  | guard.ConnectionWaited
  | guard.ConnectionReturned
  | request.EventLoopObserved
  | store.SubscriptionObserved
  | store.EventBuried
  | store.MessageSettled
  | store.OutboxObserved
  | store.MessageReceived
  | store.SagaStepEnded
  | store.SagaEnded

/**
 * A listener: the report, and the fiber it happened on (for its tracer, clock and logger).
 *
 * @category models
 * @since 0.1.0
 */
export type Recorder = (report: Report, fiber: Fiber.Fiber<unknown, unknown>) => void

/**
 * The recorder of the running fiber; `undefined` when nobody listens.
 *
 * @category references
 * @since 0.1.0
 */
export const Current = Context.Reference<Recorder | undefined>("effect-lifecycle/lifecycle/Recorder", {
  defaultValue: () => undefined
})

/**
 * Reports what `make` builds; `make` does not run when nobody listens.
 *
 * A hot path that holds its fiber already reads `fiber.getRef(Recorder.Current)` itself and saves the effect.
 *
 * @category combinators
 * @since 0.1.0
 */
export const report = (make: () => Report): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const recorder = fiber.getRef(Current)
    if (recorder !== undefined) recorder(make(), fiber)
    return Effect.void
  })

/**
 * Adds a listener for everything inside `self`; listeners that are there already keep listening.
 *
 * @category combinators
 * @since 0.1.0
 */
export const recordTo: {
  (recorder: Recorder): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, recorder: Recorder): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, recorder: Recorder): Effect.Effect<A, E, R> =>
    Effect.updateService(self, Current, (outer) => combine(outer, recorder))
)

/**
 * Both listeners, the first first.
 *
 * @category combinators
 * @since 0.1.0
 */
export const combine = (first: Recorder | undefined, second: Recorder): Recorder =>
  first === undefined ? second : (report, fiber) => {
    first(report, fiber)
    second(report, fiber)
  }
