import { assert } from "@effect/vitest"
import { Effect, Layer } from "effect"
import type { Recorder } from "effect-lifecycle/lifecycle"
import { Propagation } from "effect-lifecycle/request"
import { Deadlines, ServerStack } from "effect-lifecycle/server"
import { HttpRouter, type HttpServer, HttpServerResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { ask, bearer, listener, tokens } from "../../server/harness.ts"
import { recording } from "../../server/records.ts"
import { differs, equal, type Topic } from "../ported.ts"

const routes = (log: Array<string>) =>
  Layer.mergeAll(
    HttpRouter.add("GET", "/quick", HttpServerResponse.text("in time")),
    HttpRouter.add(
      "GET",
      "/hangs/:id",
      Effect.never.pipe(Effect.onInterrupt(() => Effect.sync(() => void log.push("stopped"))))
    )
  )

/** Over a real socket, and so in real time; with the clock stopped, time is exactly what the header says. */
const served = (
  body: (
    log: Array<string>,
    reports: Array<Recorder.Report>
  ) => Effect.Effect<void, unknown, HttpServer.HttpServer>,
  options: Deadlines.Options = {},
  clock: "live" | "stopped" = "live"
) =>
  Effect.suspend(() => {
    const log: Array<string> = []
    const reports: Array<Recorder.Report> = []
    const live = ServerStack.serve(routes(log), { service: "x", deadlines: Deadlines.stage(options) }).pipe(
      Layer.provide([tokens, recording(reports)]),
      Layer.provideMerge(listener)
    )
    const run = Effect.provide(body(log, reports), live, { local: true })
    return clock === "live" ? TestClock.withLive(run) : run
  })

const get = (path: string, timeout?: string) =>
  ask(path, { headers: timeout === undefined ? bearer : { ...bearer, "x-request-timeout": timeout } })

/** The middleware of the server. */
export const aioServer: Topic = {
  source: "aio-request",
  title: "aio-request: the server",
  file: "aioServer.ts",
  behaviours: [
    equal(
      "server-takes-over",
      "holds a handler to what is left of its caller's time",
      () =>
        served(() =>
          Effect.gen(function*() {
            assert.strictEqual((yield* get("/quick", "5")).status, 200)
            assert.notStrictEqual((yield* get("/hangs/1", "0.05")).status, 200)
          })
        )
    ),
    equal(
      "server-low-time",
      "does not begin a request with less than 5 ms left",
      () => served(() => Effect.map(get("/quick", "0.004"), ({ status }) => assert.isAbove(status, 400)))
    ),
    differs("server-low-time-edge", {
      theirs: "refuses with exactly the threshold left on the server (<=), and sends it in the client (<)",
      ours: "asks for less than the threshold in both",
      reason: "two sides of one limit should agree where it is"
    }, () =>
      served(
        () =>
          Effect.gen(function*() {
            assert.strictEqual((yield* get("/quick", "0.005")).status, 200)
            assert.strictEqual((yield* get("/quick", "0.004999")).status, 504)
          }),
        {},
        "stopped"
      )),
    differs("server-504", {
      theirs: "answers 408 when time is up",
      ours: "answers 504",
      reason: "408 says that the client was too slow to send its request, and asks it to send it again"
    }, () => served(() => Effect.map(get("/hangs/1", "0.05"), ({ status }) => assert.strictEqual(status, 504)))),
    differs("server-stops", {
      theirs: "lets the handler work on, unless `cancel_on_timeout` is set",
      ours: "interrupts it",
      reason: "nobody reads what it would answer",
      rule: "T11"
    }, () =>
      served((log) =>
        Effect.gen(function*() {
          yield* get("/hangs/1", "0.05")
          assert.deepStrictEqual(log, ["stopped"])
        })
      )),
    differs("server-cap", {
      theirs: "lets the header win over the handler's own limit, even when it is longer",
      ours: "takes the shorter one",
      reason: "a caller may ask for less, not for more",
      rule: "T10"
    }, () =>
      served(
        () => Effect.map(get("/hangs/1", "50"), ({ status }) => assert.strictEqual(status, 504)),
        { maximum: "50 millis" }
      )),
    equal(
      "server-metrics",
      "records one duration for each request, with method, route template and status",
      () =>
        served((_, reports) =>
          Effect.gen(function*() {
            yield* get("/hangs/1", "0.05")
            const ended = reports.filter((report) => report._tag === "ServerRequestEnded")
            assert.deepStrictEqual(
              ended.map(({ method, route, status }) => [method, route, status]),
              [["GET", "/hangs/:id", 504]]
            )
          })
        )
    ),
    differs("server-metrics-unrouted", {
      theirs: "records the raw path of a request that no route took",
      ours: "records that there was no route",
      reason: "whoever asks for random paths would make a new series with each",
      rule: "T17"
    }, () =>
      served((_, reports) =>
        Effect.gen(function*() {
          yield* get("/nowhere/123")
          const ended = reports.filter((report) => report._tag === "ServerRequestEnded")
          assert.deepStrictEqual(ended.map(({ route, status }) => [route, status]), [[undefined, 404]])
        })
      )),
    equal("server-client-name", "reads X-Service-Name in lower case", () =>
      Effect.gen(function*() {
        const { serviceName } = yield* Propagation.extract({ "x-service-name": "Orders" }, { trusted: true })
        assert.deepStrictEqual(serviceName._tag === "Some" && serviceName.value, "orders")
      })),
    differs("server-client-name-trust", {
      theirs: "takes any text from anybody as a label",
      ours: "takes a name of at most 128 plain characters from a trusted hop, and nothing else",
      reason: "a stranger could make a new series with each request, or write a line into a log",
      rule: "T17"
    }, () =>
      Effect.gen(function*() {
        const name = (value: string, trusted: boolean) =>
          Effect.map(
            Propagation.extract({ "x-service-name": value }, { trusted }),
            ({ serviceName }) => serviceName._tag
          )
        assert.strictEqual(yield* name("orders", false), "None")
        assert.strictEqual(yield* name("orders\nERROR", true), "None")
      }))
  ]
}
