import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric } from "effect"
import { Recorder } from "effect-lifecycle/lifecycle"
import * as AioRequestMetrics from "effect-lifecycle/observability/AioRequestMetrics"
import { PrometheusMetrics } from "effect/observability"
import { called, ended } from "./reports.ts"

const page = (...reports: ReadonlyArray<Recorder.Report>) =>
  Effect.gen(function*() {
    for (const report of reports) yield* Recorder.report(() => report)
    return yield* PrometheusMetrics.format()
  }).pipe(Effect.provide(AioRequestMetrics.layer), Effect.provideService(Metric.MetricRegistry, new Map()))

describe("AioRequestMetrics", () => {
  it.effect("writes the names, labels and buckets of aio-request", () =>
    Effect.gen(function*() {
      const text = yield* page(
        called(),
        {
          _tag: "ClientAttemptEnded",
          method: "POST",
          endpoint: "http://payments:4102",
          route: "/payments",
          status: 503,
          attempt: 1,
          kind: "primary",
          startNanos: 0n,
          endNanos: 60_000_000n
        },
        ended({ client: "orders" }),
        ended({ route: undefined, status: 404 })
      )
      const path = "request_path=\"/payments\""
      const endpoint = "request_endpoint=\"http://payments:4102\",request_method=\"POST\""
      for (
        const [name, labels] of [
          ["aio_request_latency", `${endpoint},${path},response_status="201",circuit_breaker="False"`],
          ["aio_request_transport_latency", `${endpoint},${path},response_status="503"`],
          [
            "aio_request_server_latency",
            `request_client="orders",request_method="GET",request_path="/orders/:id",response_status="200"`
          ],
          [
            "aio_request_server_latency",
            `request_client="unknown",request_method="GET",request_path="unmatched",response_status="404"`
          ]
        ] as const
      ) {
        const line = text.split("\n").find((line) => line.startsWith(`${name}_count{${labels}`))
        assert.isDefined(line, `${name} ${labels}\n${text}`)
        assert.isTrue(line?.endsWith(" 1"))
      }
      const buckets = text.split("\n").filter((line) => line.startsWith(`aio_request_transport_latency_bucket{`))
      assert.deepStrictEqual(
        buckets.map((line) => /le="([^"]+)"/.exec(line)?.[1]),
        [...AioRequestMetrics.boundaries.map(String), "+Inf"]
      )
      assert.strictEqual(buckets.find((line) => line.includes("le=\"0.05\""))?.endsWith(" 0"), true)
      assert.strictEqual(buckets.find((line) => line.includes("le=\"0.075\""))?.endsWith(" 1"), true)
    }))

  it.effect("makes up the statuses of aio-request where no response came", () =>
    Effect.gen(function*() {
      const tags = ["DeadlineExceeded", "HttpClientError", "interrupted", "CircuitOpen"]
      const text = yield* page(...tags.map((errorTag) => called({ status: undefined, errorTag })))
      const found = Array.from(
        text.matchAll(/^aio_request_latency_count\{.*response_status="(\d+)",circuit_breaker="(\w+)".*\} 1$/gm),
        ([, status, open]) => `${status} ${open}`
      )
      assert.deepStrictEqual(found.toSorted(), ["408 False", "489 False", "499 False", "502 True"])
    }))
})
