/**
 * The three Prometheus histograms of aio-request, by their own names, labels and buckets, for a system that has dashboards
 * and alerts on them.
 *
 * `aio_request_latency` has one observation for each logical call, `aio_request_transport_latency` one for each request on
 * the wire, `aio_request_server_latency` one for each request served. What got no response has the status aio-request would
 * have made up: 408 for a deadline, 489 for the network, 502 for an open circuit, 499 for a caller that has left.
 *
 * Provide {@link layer} beside `Metrics.layer`, or alone, and export with `PrometheusMetrics.layerHttp`.
 *
 * **Gotchas**
 *
 * - A path is a route's template, and `unmatched` where there is none; aio-request writes the path itself there, which lets
 *   callers make up labels.
 * - `request_client` is `x-service-name` of a trusted caller in lower case, or `unknown`.
 *
 * @example
 * ```ts
 * import { Effect, Metric } from "effect"
 * import { PrometheusMetrics } from "effect/observability"
 * import { Recorder } from "effect-lifecycle/lifecycle"
 * import { AioRequestMetrics } from "effect-lifecycle/observability"
 * import assert from "node:assert/strict"
 *
 * const program = Effect.gen(function*() {
 *   yield* Recorder.report(() => ({
 *     _tag: "ClientRequestEnded",
 *     method: "GET",
 *     endpoint: "http://users:4101",
 *     route: "/users/:id",
 *     status: undefined,
 *     errorTag: "CircuitOpen",
 *     attempts: 0,
 *     startNanos: 0n,
 *     endNanos: 1_000_000n
 *   }))
 *   return yield* PrometheusMetrics.format()
 * }).pipe(Effect.provide(AioRequestMetrics.layer), Effect.provideService(Metric.MetricRegistry, new Map()))
 *
 * assert.match(await Effect.runPromise(program), /aio_request_latency_count\{.*response_status="502",circuit_breaker="True".*\} 1/)
 * ```
 *
 * @since 0.1.0
 */
import type { Layer } from "effect"
import type { Recorder, Report } from "../lifecycle/Recorder.ts"
import { install } from "./internal/hub.ts"
import { histogram, registryOf } from "./internal/series.ts"
import * as Names from "./Names.ts"

/**
 * The upper bounds of the buckets, in seconds.
 *
 * @category constants
 * @since 0.1.0
 */
export const boundaries: ReadonlyArray<number> = [
  0.005,
  0.01,
  0.025,
  0.05,
  0.075,
  0.1,
  0.15,
  0.2,
  0.25,
  0.3,
  0.35,
  0.4,
  0.45,
  0.5,
  0.75,
  1,
  5,
  10,
  15,
  20
]

/**
 * A recorder that updates the three histograms.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (): Recorder => {
  const calls = histogram(
    "aio_request_latency",
    "How long logical calls took",
    ["request_endpoint", "request_method", "request_path", "response_status", "circuit_breaker"],
    boundaries
  )
  const attempts = histogram(
    "aio_request_transport_latency",
    "How long single requests took",
    ["request_endpoint", "request_method", "request_path", "response_status"],
    boundaries
  )
  const served = histogram(
    "aio_request_server_latency",
    "How long answering requests took",
    ["request_client", "request_method", "request_path", "response_status"],
    boundaries
  )
  const contextOf = registryOf()
  return (report, fiber) => {
    switch (report._tag) {
      case "ClientRequestEnded": {
        const status = report.status ?? synthetic(report.errorTag)
        const isOpen = report.errorTag === "CircuitOpen" ? "True" : "False"
        return calls(report.endpoint, report.method, pathOf(report), String(status), isOpen)
          .updateUnsafe(seconds(report), contextOf(fiber))
      }
      case "ClientAttemptEnded":
        return attempts(report.endpoint, report.method, pathOf(report), String(report.status ?? synthetic(undefined)))
          .updateUnsafe(seconds(report), contextOf(fiber))
      case "ServerRequestEnded":
        return served(report.client ?? "unknown", report.method, pathOf(report), String(report.status))
          .updateUnsafe(seconds(report), contextOf(fiber))
    }
  }
}

/**
 * Updates the histograms for everything that is reported, beside the listeners that are there already.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<never> = install(make)

const synthetic = (errorTag: string | undefined): number => {
  switch (errorTag) {
    case "DeadlineExceeded":
      return 408
    case "CircuitOpen":
      return 502
    case "interrupted":
      return 499
    default:
      return 489
  }
}

const pathOf = (report: { readonly route: string | undefined }): string => report.route ?? Names.unmatched

const seconds = (report: Extract<Report, { readonly startNanos: bigint }>): number =>
  Math.max(0, Number(report.endNanos - report.startNanos) / 1e9)
