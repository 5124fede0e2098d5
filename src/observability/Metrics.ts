/**
 * Turns reports into Effect metrics: durations as histograms in seconds, the rest as counters.
 *
 * Provide {@link layer} once, at the edge, and export with `PrometheusMetrics.layerHttp` or `OtlpMetrics`. One request gives
 * one count, whatever it took to answer it. Updates are synchronous and touch only maps; the registry is the fiber's
 * `Metric.MetricRegistry`.
 *
 * Labels are bounded: a method that HTTP does not define is `_OTHER`, as is the scheme where a server does not say it, a
 * request without a route is `unmatched`, and
 * no metric has more than {@link maxSeries} combinations of labels; further ones are counted together under `_OTHER`.
 *
 * **Gotchas**
 *
 * - The bound on combinations is what keeps a memory safe when a caller can choose a label, such as a webhook's host.
 * - Layers of this room may be merged or provided to one another, in any order.
 * - A series is registered once, as one that others may read and not update: `Metric.update` under its name and labels does
 *   nothing, and one that is removed from the registry is not put back.
 *
 * @example
 * ```ts
 * import { Effect, Metric } from "effect"
 * import { PrometheusMetrics } from "effect/observability"
 * import { Recorder } from "effect-lifecycle/lifecycle"
 * import { Metrics, Names } from "effect-lifecycle/observability"
 * import assert from "node:assert/strict"
 *
 * const program = Effect.gen(function*() {
 *   yield* Recorder.report(() => ({ _tag: "DeadlineMissed", budgetMillis: 250 }))
 *   return yield* PrometheusMetrics.format({ metricNameMapper: Names.prometheus })
 * }).pipe(Effect.provide(Metrics.layer), Effect.provideService(Metric.MetricRegistry, new Map()))
 *
 * assert.match(await Effect.runPromise(program), /^lifecycle_deadlines_missed_total 1$/m)
 * ```
 *
 * @since 0.1.0
 */
import type { Layer } from "effect"
import type { Recorder } from "../lifecycle/Recorder.ts"
import * as guardMetrics from "./internal/guardMetrics.ts"
import { install } from "./internal/hub.ts"
import { boundaries, counter, gauge, histogram, registryOf } from "./internal/series.ts"
import * as poolMetrics from "./internal/poolMetrics.ts"
import * as storeMetrics from "./internal/storeMetrics.ts"
import * as Names from "./Names.ts"

export { boundaries, maxSeries } from "./internal/series.ts"

/**
 * The upper bounds for single stages, in seconds: most of them take microseconds.
 *
 * @category constants
 * @since 0.1.0
 */
export const stageBoundaries: ReadonlyArray<number> = [
  0.00001,
  0.000025,
  0.00005,
  0.0001,
  0.00025,
  0.0005,
  0.001,
  0.0025
].concat(
  boundaries
)

/**
 * The upper bounds for bodies, in bytes.
 *
 * @category constants
 * @since 0.1.0
 */
export const sizeBoundaries: ReadonlyArray<number> = [
  0,
  100,
  1_000,
  10_000,
  100_000,
  1_000_000,
  10_000_000,
  100_000_000
]

/**
 * A recorder that updates metrics.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (): Recorder => {
  const { labels, metrics } = Names
  const serverDuration = histogram(
    metrics.serverDuration,
    "How long requests took, from the outermost stage to the last byte of the answer",
    [labels.service, labels.method, labels.scheme, labels.route, labels.status]
  )
  const serverActive = gauge(
    metrics.serverActive,
    "Requests that are being served",
    [labels.service, labels.method, labels.scheme]
  )
  const eventLoopMean = gauge(metrics.eventLoopMean, "How late the event loop was on average", [labels.service])
  const eventLoopP50 = gauge(metrics.eventLoopP50, "How late the event loop was in half of the looks", [labels.service])
  const eventLoopP99 = gauge(
    metrics.eventLoopP99,
    "How late the event loop was in all but one of 100 looks",
    [labels.service]
  )
  const eventLoopMax = gauge(metrics.eventLoopMax, "How late the event loop was at most", [labels.service])
  const eventLoopUse = gauge(metrics.eventLoopUse, "The part of the time the event loop was at work", [labels.service])
  const clientDuration = histogram(
    metrics.clientDuration,
    "How long calls to other services took, with all their attempts",
    [labels.method, labels.endpoint, labels.template, labels.status]
  )
  const clientAttempts = counter(
    metrics.clientAttempts,
    "Requests sent to other services, retries and hedges included",
    [labels.method, labels.endpoint, labels.template]
  )
  const clientAttemptDuration = histogram(
    metrics.clientAttemptDuration,
    "How long single requests to other services took",
    [labels.method, labels.endpoint, labels.template, labels.status, labels.attemptKind]
  )
  const commandDuration = histogram(
    metrics.commandDuration,
    "How long commands, queries and streams took",
    [labels.command, labels.kind, labels.outcome, labels.error]
  )
  const hooksFailed = counter(
    metrics.hooksFailed,
    "Hooks that failed after the commit",
    [labels.hook, labels.command, labels.retry]
  )
  const stageDuration = histogram(
    metrics.stageDuration,
    "How long single stages of requests took",
    [labels.stage],
    stageBoundaries
  )
  const headersIgnored = counter(metrics.headersIgnored, "Headers that were present but not usable", [labels.header])
  const deadlinesMissed = counter(metrics.deadlinesMissed, "Deadlines that passed before the work was done", [])
  const defects = counter(metrics.defects, "Failures that no type announced", [labels.stage])
  const guards = guardMetrics.make()
  const pool = poolMetrics.make()
  const store = storeMetrics.make()

  const contextOf = registryOf()

  return (report, fiber) => {
    const context = contextOf(fiber)
    switch (report._tag) {
      case "StagesTimed":
        for (const timed of report.stages) stageDuration(timed.stage).updateUnsafe(seconds(timed), context)
        return
      case "ServerRequestStarted":
        return serverActive(report.service, method(report.method), scheme(report)).modifyUnsafe(1, context)
      case "ServerRequestEnded": {
        const name = method(report.method)
        const route = report.route ?? Names.unmatched
        const status = String(report.status)
        const asked = scheme(report)
        // A request that the listener refused was never begun.
        if (report.refused !== true) serverActive(report.service, name, asked).modifyUnsafe(-1, context)
        return serverDuration(report.service, name, asked, route, status).updateUnsafe(seconds(report), context)
      }
      case "EventLoopObserved":
        eventLoopMean(report.service).updateUnsafe(report.meanMillis / 1000, context)
        eventLoopP50(report.service).updateUnsafe(report.p50Millis / 1000, context)
        eventLoopP99(report.service).updateUnsafe(report.p99Millis / 1000, context)
        eventLoopMax(report.service).updateUnsafe(report.maxMillis / 1000, context)
        return eventLoopUse(report.service).updateUnsafe(report.utilization, context)
      case "ClientRequestEnded": {
        const name = method(report.method)
        const template = report.route ?? Names.unmatched
        clientAttempts(name, report.endpoint, template).updateUnsafe(report.attempts, context)
        return clientDuration(
          name,
          report.endpoint,
          template,
          report.status === undefined ? "none" : String(report.status)
        )
          .updateUnsafe(seconds(report), context)
      }
      case "CommandEnded":
        return commandDuration(report.name, report.kind, report.outcome, report.errorTag ?? "none")
          .updateUnsafe(seconds(report), context)
      case "HookFailed":
        return hooksFailed(report.hook, report.command, String(report.willRetry)).updateUnsafe(1, context)
      case "HeaderIgnored":
        return headersIgnored(report.header).updateUnsafe(1, context)
      case "DeadlineMissed":
        return deadlinesMissed().updateUnsafe(1, context)
      case "DefectCaught":
        return defects(report.stage).updateUnsafe(1, context)
      case "ClientAttemptEnded":
        return clientAttemptDuration(
          method(report.method),
          report.endpoint,
          report.route ?? Names.unmatched,
          report.status === undefined ? "none" : String(report.status),
          report.kind
        ).updateUnsafe(seconds(report), context)
      case "PoolMoved":
      case "ConnectionWaited":
      case "ConnectionReturned":
        return pool(report, context)
      case "SubscriptionObserved":
      case "EventBuried":
      case "MessageSettled":
      case "OutboxObserved":
      case "MessageReceived":
      case "SnapshotIgnored":
      case "SagaStepEnded":
      case "SagaEnded":
        return store(report, context)
      default:
        return guards(report, context)
    }
  }
}

/**
 * Updates metrics for everything that is reported, beside the listeners that are there already.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<never> = install(make)

/**
 * Updates the histograms of body sizes, which the conventions of OpenTelemetry leave to whoever wants them.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerBodySizes: Layer.Layer<never> = install(() => {
  const { labels, metrics } = Names
  const keys = [labels.service, labels.method, labels.scheme, labels.route, labels.status] as const
  const ofRequests = histogram(
    metrics.serverRequestSize,
    "How many bytes the bodies of requests had",
    keys,
    sizeBoundaries,
    "By"
  )
  const ofAnswers = histogram(
    metrics.serverResponseSize,
    "How many bytes the bodies of answers had, as they were sent",
    keys,
    sizeBoundaries,
    "By"
  )
  const contextOf = registryOf()
  return (report, fiber) => {
    if (report._tag !== "ServerRequestEnded") return
    const context = contextOf(fiber)
    const { requestBytes, responseBytes, route = Names.unmatched, service } = report
    const name = method(report.method)
    const asked = scheme(report)
    const status = String(report.status)
    if (requestBytes !== undefined) ofRequests(service, name, asked, route, status).updateUnsafe(requestBytes, context)
    if (responseBytes !== undefined) ofAnswers(service, name, asked, route, status).updateUnsafe(responseBytes, context)
  }
})

const methods: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "OPTIONS",
  "TRACE",
  "CONNECT"
])

const method = (name: string): string => methods.has(name) ? name : Names.other

const scheme = (report: { readonly scheme?: string | undefined }): string => report.scheme ?? Names.other

const seconds = (timed: { readonly startNanos: bigint; readonly endNanos: bigint }): number =>
  Math.max(0, Number(timed.endNanos - timed.startNanos) / 1e9)
