/**
 * `GET /metrics`: every Effect metric of the process in the Prometheus text format.
 *
 * The numbers come from `observability/`, which turns the reports of all rooms into metrics with route templates as
 * labels; this module only shows them.
 *
 * **Gotchas**
 *
 * - The route needs no token. Keep it inside: let the proxy refuse it, or leave it out with `metrics: false` and serve it on
 *   another port.
 *
 * @example
 * ```ts
 * import { Layer } from "effect"
 * import { Metrics } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * assert.ok(Layer.isLayer(Metrics.layer({ prefix: "orders" })))
 * ```
 *
 * @since 0.1.0
 */
import type { Layer } from "effect"
import type { HttpRouter } from "effect/http"
import { PrometheusMetrics } from "effect/observability"

/**
 * The route.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: (
  options?: PrometheusMetrics.HttpOptions
) => Layer.Layer<never, never, HttpRouter.HttpRouter> = PrometheusMetrics.layerHttp
