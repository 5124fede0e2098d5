/**
 * Every metric, label, span and log field name of this library, in one place.
 *
 * Names of HTTP metrics, labels and span attributes are those of OpenTelemetry's semantic conventions, so that existing
 * dashboards read them; the rest carry the prefix `lifecycle.` or `domain.`. Log fields are snake case.
 *
 * **Gotchas**
 *
 * - Prometheus writes dots as underscores, and expects units in names: {@link prometheus} adds `_seconds` and `_total`.
 *   Give it to `PrometheusMetrics.layerHttp` as `metricNameMapper`.
 *
 * @example
 * ```ts
 * import { Names } from "effect-lifecycle/observability"
 * import assert from "node:assert/strict"
 *
 * assert.equal(Names.prometheus("http.server.request.duration"), "http_server_request_duration_seconds")
 * assert.equal(Names.prometheus("lifecycle.deadlines.missed"), "lifecycle_deadlines_missed_total")
 * assert.equal(Names.prometheus("http.server.active_requests"), "http_server_active_requests")
 * ```
 *
 * @since 0.1.0
 */
import type { StageName } from "../lifecycle/Stage.ts"

/**
 * The ids of metrics.
 *
 * @category names
 * @since 0.1.0
 */
export const metrics = {
  serverDuration: "http.server.request.duration",
  serverActive: "http.server.active_requests",
  serverRequestSize: "http.server.request.body.size",
  serverResponseSize: "http.server.response.body.size",
  eventLoopMean: "nodejs.eventloop.delay.mean",
  eventLoopP50: "nodejs.eventloop.delay.p50",
  eventLoopP99: "nodejs.eventloop.delay.p99",
  eventLoopMax: "nodejs.eventloop.delay.max",
  eventLoopUse: "nodejs.eventloop.utilization",
  clientDuration: "http.client.request.duration",
  clientAttempts: "http.client.request.attempts",
  clientAttemptDuration: "http.client.attempt.duration",
  commandDuration: "domain.command.duration",
  hooksFailed: "domain.hooks.failed",
  snapshotsIgnored: "domain.snapshots.ignored",
  sagaStepDuration: "domain.saga.step.duration",
  sagaDuration: "domain.saga.duration",
  stageDuration: "lifecycle.stage.duration",
  headersIgnored: "lifecycle.headers.ignored",
  deadlinesMissed: "lifecycle.deadlines.missed",
  defects: "lifecycle.defects",
  attempts: "resilience.attempts",
  retryDelay: "resilience.retry_delay.duration",
  budgetDenied: "resilience.budget.denied",
  circuitState: "circuit_breaker.state",
  circuitCalls: "circuit_breaker.calls",
  circuitTransitions: "circuit_breaker.transitions",
  bulkheadInFlight: "bulkhead.in_flight",
  bulkheadQueued: "bulkhead.queued",
  bulkheadLimit: "bulkhead.limit",
  bulkheadRejected: "bulkhead.rejected",
  rateLimited: "rate_limit.applied",
  poolCount: "db.client.connection.count",
  poolMax: "db.client.connection.max",
  poolPending: "db.client.connection.pending_requests",
  poolTimeouts: "db.client.connection.timeouts",
  poolWait: "db.client.connection.wait_time",
  poolUse: "db.client.connection.use_time",
  fallbacks: "resilience.fallbacks",
  chaos: "resilience.chaos",
  subscriptionLag: "store.subscription.lag",
  subscriptionLagTime: "store.subscription.lag.duration",
  subscriptionOwned: "store.subscription.partitions.owned",
  subscriptionPaused: "store.subscription.partitions.paused",
  deadLetters: "store.subscription.dead_letters",
  eventsSkipped: "store.subscription.events.skipped",
  highWaterMark: "store.high_water.mark",
  gapAge: "store.high_water.gap.duration",
  gapHolders: "store.high_water.gap.holders",
  outboxMessages: "store.outbox.messages",
  outboxTime: "store.outbox.message.duration",
  outboxPending: "store.outbox.pending",
  outboxOldest: "store.outbox.oldest.duration",
  outboxDeadLetters: "store.outbox.dead_letters",
  outboxPausedKeys: "store.outbox.keys.paused",
  inboxMessages: "store.inbox.messages"
} as const

/**
 * The keys of metric labels.
 *
 * @category names
 * @since 0.1.0
 */
export const labels = {
  service: "service.name",
  method: "http.request.method",
  scheme: "url.scheme",
  route: "http.route",
  status: "http.response.status_code",
  endpoint: "server.address",
  template: "url.template",
  command: "command.name",
  kind: "command.kind",
  outcome: "command.outcome",
  error: "error.type",
  hook: "hook.name",
  retry: "hook.will_retry",
  aggregate: "aggregate.name",
  saga: "saga.name",
  sagaStep: "saga.step",
  sagaAction: "saga.action",
  sagaOutcome: "saga.outcome",
  stage: "lifecycle.stage",
  header: "header",
  attemptKind: "attempt.kind",
  verdict: "attempt.verdict",
  guard: "resilience.name",
  key: "circuit_breaker.key",
  circuitOutcome: "circuit_breaker.outcome",
  circuitSlow: "circuit_breaker.slow",
  circuitState: "circuit_breaker.state",
  from: "circuit_breaker.from",
  to: "circuit_breaker.to",
  reason: "reason",
  policy: "rate_limit.policy",
  limitOutcome: "rate_limit.outcome",
  chaosKind: "chaos.kind",
  pool: "db.client.connection.pool.name",
  poolState: "db.client.connection.state",
  subscription: "subscription.name",
  topic: "outbox.topic",
  topics: "outbox.topics",
  outboxOutcome: "outbox.outcome",
  source: "inbox.source",
  inboxOutcome: "inbox.outcome"
} as const

/**
 * The keys of span attributes.
 *
 * @category names
 * @since 0.1.0
 */
export const attributes = {
  stage: "lifecycle.stage",
  stageName: "lifecycle.name",
  command: "command.name",
  kind: "command.kind",
  outcome: "command.outcome",
  error: "error.type"
} as const

/**
 * The fields of log lines.
 *
 * @category names
 * @since 0.1.0
 */
export const fields = {
  time: "time",
  level: "level",
  message: "message",
  service: "service",
  requestId: "request_id",
  userId: "user_id",
  traceId: "trace_id",
  spanId: "span_id",
  method: "method",
  path: "path",
  route: "route",
  status: "status",
  durationMillis: "duration_ms",
  outcome: "outcome",
  stage: "stage",
  cause: "cause",
  data: "data",
  spans: "spans"
} as const

/**
 * The value of a label where there is nothing to say, such as the route of a 404.
 *
 * @category names
 * @since 0.1.0
 */
export const unmatched = "unmatched"

/**
 * The value of a label for everything that has no label of its own.
 *
 * @category names
 * @since 0.1.0
 */
export const other = "_OTHER"

/**
 * The name of the span of one stage, such as `lifecycle.handler`.
 *
 * @category names
 * @since 0.1.0
 */
export const stageSpan = (stage: StageName): string => `lifecycle.${stage.toLowerCase()}`

/**
 * The name of the span of one command, query or stream, such as `command orders.Place`.
 *
 * @category names
 * @since 0.1.0
 */
export const commandSpan = (kind: string, name: string): string => `${kind} ${name}`

const counters: ReadonlySet<string> = new Set([
  metrics.clientAttempts,
  metrics.hooksFailed,
  metrics.snapshotsIgnored,
  metrics.headersIgnored,
  metrics.deadlinesMissed,
  metrics.defects,
  metrics.attempts,
  metrics.budgetDenied,
  metrics.circuitCalls,
  metrics.circuitTransitions,
  metrics.bulkheadRejected,
  metrics.rateLimited,
  metrics.poolTimeouts,
  metrics.fallbacks,
  metrics.chaos,
  metrics.eventsSkipped,
  metrics.outboxMessages,
  metrics.inboxMessages
])

/**
 * The name that Prometheus expects, with its unit; names that are not ours only lose their dots.
 *
 * @category names
 * @since 0.1.0
 */
export const prometheus = (name: string): string => {
  const plain = name.replaceAll(".", "_")
  if (counters.has(name)) return `${plain}_total`
  if (!known.has(name)) return plain
  if (/\.duration$|_time$|^nodejs\.eventloop\.delay\./.test(name)) return `${plain}_seconds`
  return name.endsWith(".body.size") ? `${plain}_bytes` : plain
}

const known: ReadonlySet<string> = new Set(Object.values(metrics))
