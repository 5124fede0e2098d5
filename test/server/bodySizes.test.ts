import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Metric, Stream } from "effect"
import type { Recorder } from "effect-lifecycle/lifecycle"
import * as Observed from "effect-lifecycle/observability/Metrics"
import * as Names from "effect-lifecycle/observability/Names"
import { Authentication, ServerStack } from "effect-lifecycle/server"
import * as NodeListener from "effect-lifecycle/server/NodeListener"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { connect } from "node:net"
import { ask, tokens } from "./harness.ts"
import { recording } from "./records.ts"

const routes = Layer.mergeAll(
  HttpRouter.add("POST", "/text", HttpServerResponse.text("héllo")),
  HttpRouter.add("GET", "/text", HttpServerResponse.text("héllo")),
  HttpRouter.add(
    "GET",
    "/broken",
    HttpServerResponse.stream(
      Stream.make("abc").pipe(Stream.concat(Stream.fail(new Error("the disk is gone"))), Stream.encodeText),
      { contentType: "text/plain" }
    )
  ),
  HttpRouter.add("GET", "/empty", HttpServerResponse.empty()),
  HttpRouter.add(
    "GET",
    "/stream",
    HttpServerResponse.stream(Stream.make("abc", "defg").pipe(Stream.encodeText), { contentType: "text/plain" })
  )
)

const server = ServerStack.serve(routes, {
  service: "sized",
  authentication: Authentication.stage({ exempt: ["/*"] }),
  metrics: { metricNameMapper: Names.prometheus }
}).pipe(
  Layer.provide(tokens),
  Layer.provideMerge(NodeListener.layer({ port: 0, service: "sized", eventLoopInterval: "50 millis" }))
)

describe("sizes of bodies", () => {
  it.live("are reported as they were sent, for bodies in memory, streams, HEAD and none", () => {
    const reports: Array<Recorder.Report> = []
    return Effect.gen(function*() {
      yield* ask("/text", { method: "POST", json: { a: 1 }, headers: { "x-service-name": "Orders" } })
      yield* ask("/text", { method: "HEAD" })
      yield* ask("/empty")
      yield* ask("/stream")
      yield* Effect.sleep("50 millis")
      assert.deepStrictEqual(
        reports.flatMap((report) =>
          report._tag === "ServerRequestEnded" ? [[report.requestBytes, report.responseBytes, report.client]] : []
        ),
        [[7, 6, "orders"], [0, 0, undefined], [0, 0, undefined], [0, 7, undefined]]
      )
    }).pipe(Effect.provide(server.pipe(Layer.provide(recording(reports)))))
  })

  it.live("come with the cause, where the body broke off after its first byte", () => {
    const reports: Array<Recorder.Report> = []
    return Effect.gen(function*() {
      assert.isTrue(Exit.isFailure(yield* Effect.exit(ask("/broken"))))
      yield* Effect.sleep("50 millis")
      assert.deepStrictEqual(
        reports.flatMap((report): ReadonlyArray<ReadonlyArray<unknown>> =>
          report._tag === "ServerRequestEnded"
            ? [[report.outcome, report.status, report.responseBytes]]
            : report._tag === "DefectCaught"
            ? [[report.stage, (Cause.squash(report.cause) as Error).message]]
            : []
        ),
        [["Response", "the disk is gone"], ["failed", 200, 3]]
      )
    }).pipe(Effect.provide(server.pipe(Layer.provide(recording(reports)))))
  })

  it.live("are histograms beside the duration, and a request the listener refused leaves no trace in the active ones", () =>
    Effect.gen(function*() {
      yield* ask("/text")
      const { address } = yield* HttpServer.HttpServer
      yield* Effect.callback<void>((resume) => {
        const socket = connect(Number(new URL(HttpServer.formatAddress(address)).port), "127.0.0.1")
        socket.on("connect", () => socket.write("nonsense\r\n\r\n"))
        socket.on("data", () => undefined)
        socket.on("close", () => resume(Effect.void))
      })
      yield* Effect.sleep("150 millis")
      const { text } = yield* ask("/metrics")
      assert.match(text, /^http_server_response_body_size_bytes_sum\{.*http_route="\/text".*\} 6$/m)
      assert.match(text, /^http_server_request_body_size_bytes_count\{.*http_route="\/text".*\} 1$/m)
      assert.match(text, /^http_server_request_duration_seconds_bucket\{.*le="0.005".*\} \d+$/m)
      assert.match(text, /^nodejs_eventloop_delay_p99_seconds\{service_name="sized"\} \d/m)
      assert.match(text, /^nodejs_eventloop_utilization\{service_name="sized"\} (0|1|0\.\d+)$/m)
      assert.notMatch(text, /^http_server_active_requests\{.*\} -\d+$/m)
    }).pipe(
      Effect.provide(
        server.pipe(
          Layer.provide(Layer.merge(Observed.layer, Observed.layerBodySizes)),
          Layer.provide(Layer.succeed(Metric.MetricRegistry, new Map()))
        )
      )
    ))
})
