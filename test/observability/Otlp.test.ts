import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Metric } from "effect"
import { Recorder } from "effect-lifecycle/lifecycle"
import * as Logs from "effect-lifecycle/observability/Logs"
import * as Metrics from "effect-lifecycle/observability/Metrics"
import * as Otlp from "effect-lifecycle/observability/Otlp"
import { createServer, type IncomingHttpHeaders } from "node:http"
import { called } from "./reports.ts"

interface Received {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A collector on a port of this machine that keeps what it is sent. */
const collector = Effect.acquireRelease(
  Effect.callback<{ readonly url: string; readonly received: Array<Received>; readonly close: () => void }>(
    (resume) => {
      const received: Array<Received> = []
      const server = createServer((request, response) => {
        let body = ""
        request.on("data", (chunk) => body += chunk)
        request.on("end", () => {
          received.push({ path: request.url ?? "", headers: request.headers, body })
          response.end("{}")
        })
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" ? address?.port : undefined
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, received, close: () => server.closeAllConnections() }))
      })
    }
  ),
  ({ close }) => Effect.sync(close)
)

const app = Effect.gen(function*() {
  yield* Effect.logInfo("order placed")
  yield* Recorder.report(() => called())
}).pipe(Effect.withSpan("place order"))

const run = (env: Record<string, string>) =>
  app.pipe(
    Effect.provide(
      Layer.mergeAll(Metrics.layer, Otlp.layer({ service: "orders", version: "1.2.3" })).pipe(
        Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env })))
      )
    ),
    Effect.provideService(Metric.MetricRegistry, new Map())
  )

describe("Otlp", () => {
  it.live("sends the trace, the metrics and the logs of a service to the collector that the environment names", () =>
    Effect.gen(function*() {
      const { received, url } = yield* collector
      yield* run({
        OTEL_EXPORTER_OTLP_ENDPOINT: url,
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
        OTEL_EXPORTER_OTLP_HEADERS: "x-team=blue"
      })
      const sent = (path: string) => received.filter((each) => each.path === path).map(({ body }) => body).join("\n")
      assert.include(sent("/v1/traces"), "\"name\":\"place order\"")
      assert.include(sent("/v1/traces"), "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"orders\"}}")
      assert.include(sent("/v1/traces"), "1.2.3")
      assert.include(sent("/v1/metrics"), "\"name\":\"http.client.request.duration\"")
      assert.include(sent("/v1/logs"), "order placed")
      assert.isTrue(received.every(({ headers }) => headers["x-team"] === "blue"))
    }))

  it.live("speaks protobuf unless told otherwise, and leaves out what is not wanted", () =>
    Effect.gen(function*() {
      const { received, url } = yield* collector
      yield* run({ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_LOGS_EXPORTER: "none", OTEL_SERVICE_NAME: "named-outside" })
      assert.deepStrictEqual([...new Set(received.map(({ path }) => path))].toSorted(), ["/v1/metrics", "/v1/traces"])
      assert.isTrue(received.every(({ headers }) => headers["content-type"] === "application/x-protobuf"))
      assert.isTrue(received.every(({ body }) => body.includes("named-outside")))
    }))

  it.live("sends no query string and no user agent, whoever put them on a span", () =>
    Effect.gen(function*() {
      const { received, url } = yield* collector
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" }
      yield* Effect.void.pipe(
        Effect.withSpan("GET", {
          attributes: {
            "url.full": "http://shop.test/users?token=canary#canary",
            "url.query": "token=canary",
            "url.path": "/users",
            "user_agent.original": "canary"
          }
        }),
        Effect.provide(Otlp.layer({ service: "orders" })),
        Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))
      )
      const sent = received.map(({ body }) => body).join("\n")
      assert.include(sent, "http://shop.test/users")
      assert.include(sent, "\"url.path\"")
      assert.notInclude(sent, "canary")
    }))

  it.live("stands on the logger of the service, and does not take its place", () =>
    Effect.gen(function*() {
      const { received, url } = yield* collector
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" }
      const lines: Array<string> = []
      yield* Effect.log("order placed").pipe(
        Effect.provide(Layer.provideMerge(
          Otlp.layer({ service: "orders" }),
          Logs.layer({ service: "orders", sink: (line) => lines.push(line) })
        )),
        Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))
      )
      assert.strictEqual(lines.length, 1)
      assert.include(lines[0], "order placed")
      assert.include(received.find(({ path }) => path === "/v1/logs")?.body, "order placed")
    }))

  it.live("sends nothing where no collector is named, or the SDK is turned off", () =>
    Effect.gen(function*() {
      const { received, url } = yield* collector
      yield* run({})
      yield* run({ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_SDK_DISABLED: "true" })
      assert.deepStrictEqual(received, [])
    }))

  it.live("does not fail, nor hold up the end, when the collector is away", () =>
    Effect.gen(function*() {
      const began = performance.now()
      yield* run({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9", OTEL_EXPORTER_OTLP_TIMEOUT: "500" })
      assert.isBelow(performance.now() - began, 5000)
    }))

  it.live("refuses a protocol it does not speak, and an address that is none, with the variable's name", () =>
    Effect.gen(function*() {
      const grpc = yield* Effect.flip(
        run({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4317", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" })
      )
      assert.include(grpc.message, "OTEL_EXPORTER_OTLP_PROTOCOL")
      const broken = yield* Effect.flip(run({ OTEL_EXPORTER_OTLP_ENDPOINT: "localhost:4318" }))
      assert.strictEqual(broken._tag, "ConfigError")
      assert.include(broken.message, "OTEL_EXPORTER_OTLP_ENDPOINT")
    }))
})
