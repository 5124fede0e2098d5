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
import { type Cause, Context, Effect, type Fiber } from "effect"
import { dual } from "effect/Function"
import type { StageName } from "./Stage.ts"

/**
 * One measured part of a request: how long a stage took, on its own.
 *
 * @category models
 * @since 0.1.0
 */
export interface StageTimed {
  readonly _tag: "StageTimed"
  readonly stage: StageName
  /** The module or party that did the work, such as `server/Authentication`. */
  readonly name: string
  readonly startNanos: bigint
  readonly endNanos: bigint
}

/**
 * A request has reached the server's outermost stage.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServerRequestStarted {
  readonly _tag: "ServerRequestStarted"
  readonly service: string
  readonly method: string
}

/**
 * A response has left the server, or its client has.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServerRequestEnded {
  readonly _tag: "ServerRequestEnded"
  readonly service: string
  readonly method: string
  /** The route's template, or `undefined` where no route matched. Never the raw path. */
  readonly route: string | undefined
  /** The path without its query. For log lines only, never a metric label. */
  readonly path: string
  readonly status: number
  readonly outcome: "ok" | "failed" | "aborted"
  /** The stage that answered, where it was not the handler. */
  readonly stage: StageName | undefined
  readonly requestId: string
  readonly userId: string | undefined
  /** Refused before it began: there was no `ServerRequestStarted`. */
  readonly refused?: boolean | undefined
  /** The service that asked, as a trusted caller names itself in `x-service-name`. */
  readonly client?: string | undefined
  /** The bytes of the request's body, where it said how many. */
  readonly requestBytes?: number | undefined
  /** The bytes of the answer's body that were handed over. */
  readonly responseBytes?: number | undefined
  readonly startNanos: bigint
  readonly endNanos: bigint
}

/**
 * A request to another service has ended. One logical call gives one report, whatever it took to answer it.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClientRequestEnded {
  readonly _tag: "ClientRequestEnded"
  readonly method: string
  /** Scheme, host and port; never a path. */
  readonly endpoint: string
  /** The path template that the caller named, or `undefined`. */
  readonly route: string | undefined
  /** `undefined` where no response came. */
  readonly status: number | undefined
  /** Where no response came: the `_tag` of the failure, `interrupted`, or `defect`. */
  readonly errorTag?: string | undefined
  readonly attempts: number
  readonly startNanos: bigint
  readonly endNanos: bigint
}

/**
 * A command or query has ended, or a handler with an event; `name` is then the handler's.
 *
 * @category models
 * @since 0.1.0
 */
export interface CommandEnded {
  readonly _tag: "CommandEnded"
  readonly name: string
  readonly kind: "command" | "query" | "stream" | "event"
  readonly outcome: "success" | "failure" | "defect" | "interrupted"
  /** The `_tag` of a typed failure. */
  readonly errorTag: string | undefined
  readonly startNanos: bigint
  readonly endNanos: bigint
}

/**
 * A hook, or an event handler, that runs after the commit has failed; the command's result stands.
 *
 * @category models
 * @since 0.1.0
 */
export interface HookFailed {
  readonly _tag: "HookFailed"
  /** The hook, or the name of the event handler. */
  readonly hook: string
  readonly command: string
  readonly attempt: number
  readonly willRetry: boolean
}

/**
 * A stored snapshot was not used; the state was folded from the events instead.
 *
 * @category models
 * @since 0.1.0
 */
export interface SnapshotIgnored {
  readonly _tag: "SnapshotIgnored"
  readonly aggregate: string
  /** It does not decode; it is not of this stream, or ends after it; its subject was shredded, or it cannot be opened. */
  readonly reason: "undecodable" | "foreign" | "shredded" | "unreadable"
}

/**
 * A header was present but not usable, so it was treated as absent.
 *
 * @category models
 * @since 0.1.0
 */
export interface HeaderIgnored {
  readonly _tag: "HeaderIgnored"
  readonly header: string
  readonly reason: string
}

/**
 * A deadline passed before its work was done.
 *
 * @category models
 * @since 0.1.0
 */
export interface DeadlineMissed {
  readonly _tag: "DeadlineMissed"
  readonly budgetMillis: number
}

/**
 * A bug: something failed that no type announces. Its cause is for the operator, never for the client.
 *
 * @category models
 * @since 0.1.0
 */
export interface DefectCaught {
  readonly _tag: "DefectCaught"
  readonly stage: StageName
  readonly requestId: string | undefined
  readonly cause: Cause.Cause<unknown>
}

/**
 * One attempt of a strategy has ended; `name` is the strategy's.
 *
 * @category models
 * @since 0.1.0
 */
export interface AttemptEnded {
  readonly _tag: "AttemptEnded"
  readonly name: string
  /** From 1. */
  readonly attempt: number
  readonly kind: "primary" | "retry" | "hedge"
  readonly verdict: "accept" | "reject" | "fatal" | "interrupted"
  readonly startNanos: bigint
  readonly endNanos: bigint
}

/**
 * One request of a client has ended: an attempt of a logical call, with what came back on the wire.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClientAttemptEnded {
  readonly _tag: "ClientAttemptEnded"
  readonly method: string
  /** Scheme, host and port; never a path. */
  readonly endpoint: string
  readonly route: string | undefined
  /** `undefined` where no response came. */
  readonly status: number | undefined
  readonly attempt: number
  readonly kind: "primary" | "retry" | "hedge"
  readonly startNanos: bigint
  readonly endNanos: bigint
}

/**
 * A strategy waits before the next attempt.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryDelayed {
  readonly _tag: "RetryDelayed"
  readonly name: string
  readonly retry: number
  readonly delayMillis: number
}

/**
 * A retry or a hedge was not made, because its budget was spent.
 *
 * @category models
 * @since 0.1.0
 */
export interface BudgetDenied {
  readonly _tag: "BudgetDenied"
  readonly name: string
  readonly kind: "retry" | "hedge"
}

/**
 * A retry or a hedge was made, and its budget has paid for it.
 *
 * @category models
 * @since 0.1.0
 */
export interface BudgetSpent {
  readonly _tag: "BudgetSpent"
  readonly name: string
  readonly kind: "retry" | "hedge"
  /** What is left, in retries; `Infinity` without a bound. */
  readonly left: number
}

/**
 * A call has passed a circuit breaker, or was refused by it.
 *
 * @category models
 * @since 0.1.0
 */
export interface CircuitCalled {
  readonly _tag: "CircuitCalled"
  readonly name: string
  readonly key: string
  readonly outcome: "success" | "failure" | "neutral" | "rejected"
  readonly slow: boolean
}

/**
 * The names of a circuit's states.
 *
 * @category models
 * @since 0.1.0
 */
export type CircuitState = "Closed" | "Open" | "HalfOpen" | "Isolated"

/**
 * A circuit has changed its state.
 *
 * @category models
 * @since 0.1.0
 */
export interface CircuitMoved {
  readonly _tag: "CircuitMoved"
  readonly name: string
  readonly key: string
  readonly from: CircuitState
  readonly to: CircuitState
}

/**
 * The load of a bulkhead has changed.
 *
 * @category models
 * @since 0.1.0
 */
export interface BulkheadMoved {
  readonly _tag: "BulkheadMoved"
  readonly name: string
  readonly inFlight: number
  readonly queued: number
  readonly limit: number
}

/**
 * A bulkhead has turned a call away.
 *
 * @category models
 * @since 0.1.0
 */
export interface BulkheadRefused {
  readonly _tag: "BulkheadRefused"
  readonly name: string
  readonly reason: "full" | "waitTimeout" | "shed"
}

/**
 * A rate limit did something else than let a request pass within its quota.
 *
 * @category models
 * @since 0.1.0
 */
export interface RateLimitApplied {
  readonly _tag: "RateLimitApplied"
  readonly policy: string
  /**
   * `refused`: the quota is used up. The store did not answer, and the request passed (`skipped`) or was turned away
   * (`unavailable`).
   */
  readonly outcome: "refused" | "skipped" | "unavailable"
}

/**
 * A fallback has taken over.
 *
 * @category models
 * @since 0.1.0
 */
export interface FallbackUsed {
  readonly _tag: "FallbackUsed"
  readonly name: string
  /** The `_tag` of the failure, or `"defect"`. */
  readonly trigger: string
}

/**
 * Chaos has changed a call.
 *
 * @category models
 * @since 0.1.0
 */
export interface ChaosInjected {
  readonly _tag: "ChaosInjected"
  readonly name: string
  readonly kind: "latency" | "fault" | "outcome"
}

/**
 * The use of a pool of connections has changed.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolMoved {
  readonly _tag: "PoolMoved"
  readonly pool: string
  /** Connections that somebody has. */
  readonly inUse: number
  /** Callers that wait for one. */
  readonly waiting: number
  /** Connections that the pool may have. */
  readonly size: number
}

/**
 * A caller waits no longer for a connection of a pool.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConnectionWaited {
  readonly _tag: "ConnectionWaited"
  readonly pool: string
  /** `failed`: there was one to have, and it could not be opened. */
  readonly outcome: "taken" | "timeout" | "failed" | "interrupted"
  readonly startNanos: bigint
  readonly endNanos: bigint
}

/**
 * A connection is back in its pool.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConnectionReturned {
  readonly _tag: "ConnectionReturned"
  readonly pool: string
  readonly startNanos: bigint
  readonly endNanos: bigint
}

/**
 * How late the event loop of this process was since the report before, and which part of the time it worked.
 *
 * @category models
 * @since 0.1.0
 */
export interface EventLoopObserved {
  readonly _tag: "EventLoopObserved"
  readonly service: string
  readonly meanMillis: number
  readonly p50Millis: number
  readonly p99Millis: number
  readonly maxMillis: number
  /** From 0, idle, to 1. */
  readonly utilization: number
}

/**
 * Where a subscription of the event store stands, as one of its owners sees it.
 *
 * @category models
 * @since 0.1.0
 */
export interface SubscriptionObserved {
  readonly _tag: "SubscriptionObserved"
  readonly subscription: string
  /** Positions that are not handled yet, at most. */
  readonly lag: number
  /** The age of the first of them. */
  readonly lagMillis: number
  /** How many partitions this owner has. */
  readonly owned: number
  /** How many partitions are paused, whoever has them. */
  readonly paused: number
  readonly deadLetters: number
  /** Up to here this process knows the log to be complete. */
  readonly mark: number
  /** How long the mark has stood before a gap; 0 when it stands before none. */
  readonly gapMillis: number
  /** How many open transactions hold it there. */
  readonly holders: number
}

/**
 * A subscription has skipped an event and kept it as a dead letter.
 *
 * @category models
 * @since 0.1.0
 */
export interface EventBuried {
  readonly _tag: "EventBuried"
  readonly subscription: string
}

/**
 * One attempt of a saga's step, or of its compensation, has ended.
 *
 * @category models
 * @since 0.1.0
 */
export interface SagaStepEnded {
  readonly _tag: "SagaStepEnded"
  readonly saga: string
  readonly step: string
  readonly action: "run" | "compensate"
  /** `inDoubt`: it ended in a way that does not say whether anything has happened. */
  readonly outcome: "success" | "failure" | "inDoubt" | "interrupted"
  readonly attempt: number
  /** The request that started the saga. */
  readonly requestId?: string | undefined
  readonly startNanos: bigint
  readonly endNanos: bigint
}

/**
 * A saga has ended, or waits for a person.
 *
 * @category models
 * @since 0.1.0
 */
export interface SagaEnded {
  readonly _tag: "SagaEnded"
  readonly saga: string
  /** `completed`, `compensated`, `cancelled`, `abandoned`, or `parked:` and the reason. */
  readonly outcome: string
  /** Since it was started, by the store's clock. */
  readonly ageMillis: number
}

/**
 * Everything a room can report.
 *
 * @category models
 * @since 0.1.0
 */
export type Report =
  | StageTimed
  | ServerRequestStarted
  | ServerRequestEnded
  | ClientRequestEnded
  | CommandEnded
  | HookFailed
  | SnapshotIgnored
  | HeaderIgnored
  | DeadlineMissed
  | DefectCaught
  | AttemptEnded
  | ClientAttemptEnded
  | RetryDelayed
  | BudgetDenied
  | BudgetSpent
  | CircuitCalled
  | CircuitMoved
  | BulkheadMoved
  | BulkheadRefused
  | RateLimitApplied
  | FallbackUsed
  | ChaosInjected
  | PoolMoved
  | ConnectionWaited
  | ConnectionReturned
  | EventLoopObserved
  | SubscriptionObserved
  | EventBuried
  | SagaStepEnded
  | SagaEnded

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
