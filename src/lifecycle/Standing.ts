/**
 * How the guards and subscriptions of one service stand: circuits, bulkheads, pools, retry budgets, rate limits, projections,
 * outboxes, sagas and the event loop, as they last reported.
 *
 * It is plain data, for a page or a dashboard. `observability/Journal` keeps it from the reports that pass it.
 *
 * **Gotchas**
 *
 * - What has never been used has never reported: a circuit appears with its first call, a budget with its first retry, a
 *   rate limit with the first request that it refused or could not judge.
 * - It is what was last said, not what is asked now: the state of an open circuit stays `Open` until the next call tries it.
 *
 * @example
 * ```ts
 * import { Standing } from "effect-lifecycle/lifecycle"
 * import assert from "node:assert/strict"
 *
 * assert.deepEqual(Standing.empty("orders").circuits, [])
 * ```
 *
 * @since 0.1.0
 */
import { Schema } from "effect"

/**
 * A circuit, or one key of a keyed breaker.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Circuit = Schema.Struct({
  name: Schema.String,
  key: Schema.String,
  state: Schema.Literals(["Closed", "Open", "HalfOpen", "Isolated"]),
  /** When it came into this state, in milliseconds since 1970; `null` where it never changed. */
  since: Schema.NullOr(Schema.Finite),
  succeeded: Schema.Int,
  failed: Schema.Int,
  rejected: Schema.Int
})

/**
 * A bulkhead, with the calls it has turned away so far.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Bulkhead = Schema.Struct({
  name: Schema.String,
  inFlight: Schema.Int,
  queued: Schema.Int,
  limit: Schema.Finite,
  refused: Schema.Int
})

/**
 * A pool of connections.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Pool = Schema.Struct({
  name: Schema.String,
  /** Connections that somebody has. */
  inUse: Schema.Int,
  /** Callers that wait for one. */
  waiting: Schema.Int,
  size: Schema.Int
})

/**
 * A retry budget, with what it has granted and denied so far.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Budget = Schema.Struct({
  name: Schema.String,
  /** What was left after the last retry, in retries; `null` for a budget without a bound. */
  left: Schema.NullOr(Schema.Finite),
  granted: Schema.Int,
  denied: Schema.Int
})

/**
 * A policy of a rate limit, with the requests that it did not simply let pass so far.
 *
 * @category schemas
 * @since 0.1.0
 */
export const RateLimit = Schema.Struct({
  policy: Schema.String,
  refused: Schema.Int,
  /** Passed, because the store of the limit was away. */
  skipped: Schema.Int,
  /** Turned away, because the store of the limit was away. */
  unavailable: Schema.Int,
  /** When this was last so, in milliseconds since 1970. */
  lastAt: Schema.Finite
})

/**
 * A subscription of the event store, such as a projection.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Subscription = Schema.Struct({
  name: Schema.String,
  /** Positions that are not handled yet, at most. */
  lag: Schema.Finite,
  lagMillis: Schema.Finite,
  owned: Schema.Int,
  paused: Schema.Int,
  deadLetters: Schema.Int,
  /** Up to here the log is known to be complete. */
  mark: Schema.Finite,
  /** When it said so, in milliseconds since 1970. */
  at: Schema.Finite
})

/**
 * An outbox, as one of its workers sees it.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Outbox = Schema.Struct({
  /** The topics that the worker looks at, joined by commas; `*` for all of them. */
  topics: Schema.String,
  /** To be published, those in flight included. */
  pending: Schema.Finite,
  /** The age of the oldest of them; 0 when there is none. */
  oldestMillis: Schema.Finite,
  deadLetters: Schema.Finite,
  /** Keys that wait behind a dead letter. */
  pausedKeys: Schema.Finite,
  /** When it said so, in milliseconds since 1970. */
  at: Schema.Finite
})

/**
 * How often the sagas of one name have ended in which way.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Saga = Schema.Struct({ name: Schema.String, outcome: Schema.String, count: Schema.Int })

/**
 * An event of the store, without what it holds.
 *
 * @category schemas
 * @since 0.1.0
 */
export const StoredEvent = Schema.Struct({
  /** Where it stands in the log. */
  position: Schema.Finite,
  category: Schema.String,
  id: Schema.String,
  version: Schema.Int,
  type: Schema.String,
  /** In milliseconds since 1970. */
  at: Schema.Finite,
  /** The request that caused it. */
  requestId: Schema.NullOr(Schema.String)
})

/**
 * An event of the store, without what it holds.
 *
 * @category models
 * @since 0.1.0
 */
export interface StoredEvent extends Schema.Schema.Type<typeof StoredEvent> {}

/**
 * How the guards and subscriptions of one service stand.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Standing = Schema.Struct({
  service: Schema.String,
  circuits: Schema.Array(Circuit),
  bulkheads: Schema.Array(Bulkhead),
  pools: Schema.Array(Pool),
  budgets: Schema.Array(Budget),
  rateLimits: Schema.Array(RateLimit),
  subscriptions: Schema.Array(Subscription),
  outboxes: Schema.Array(Outbox),
  sagas: Schema.Array(Saga),
  eventLoop: Schema.NullOr(Schema.Struct({
    p99Millis: Schema.Finite,
    maxMillis: Schema.Finite,
    /** From 0, idle, to 1. */
    utilization: Schema.Finite
  })),
  /** The latest events of its store, newest first, where the service tells them. */
  events: Schema.Array(StoredEvent)
})

/**
 * How the guards and subscriptions of one service stand.
 *
 * @category models
 * @since 0.1.0
 */
export interface Standing extends Schema.Schema.Type<typeof Standing> {}

/**
 * Nothing has reported yet.
 *
 * @category constructors
 * @since 0.1.0
 */
export const empty = (service: string): Standing => ({
  service,
  circuits: [],
  bulkheads: [],
  pools: [],
  budgets: [],
  rateLimits: [],
  subscriptions: [],
  outboxes: [],
  sagas: [],
  eventLoop: null,
  events: []
})
