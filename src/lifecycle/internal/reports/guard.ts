/** What guards say: retries, budgets, circuits, bulkheads, limits, fallbacks, chaos, and pools of connections. */

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
