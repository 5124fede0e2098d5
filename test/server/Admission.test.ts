import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Layer, Metric } from "effect"
import type { Recorder } from "effect-lifecycle/lifecycle"
import * as Observed from "effect-lifecycle/observability/Metrics"
import { Priority } from "effect-lifecycle/request"
import { Bulkhead, InvalidOption } from "effect-lifecycle/resilience"
import { Admission, Deadlines, ServerStack } from "effect-lifecycle/server"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { ask, bearer, listener, tokens } from "./harness.ts"
import { recording } from "./records.ts"

/** A house whose rooms are left when `leave` opens, and the order in which it was entered. */
const house = (
  options: Parameters<typeof Admission.stage>[0],
  deadlines: Deadlines.Options = {}
) => {
  const leave = Latch.makeUnsafe(false)
  const entered: Array<string> = []
  const room = (name: string) =>
    Effect.gen(function*() {
      entered.push(name)
      yield* leave.await
      return HttpServerResponse.text(yield* Priority.Current)
    })
  const inner = Bulkhead.make({ name: "inner", permits: 1 })
  const routes = Layer.mergeAll(
    HttpRouter.add("GET", "/room/:name", Effect.flatMap(HttpRouter.params, ({ name }) => room(name ?? ""))),
    HttpRouter.add("GET", "/reports/:name", Effect.flatMap(HttpRouter.params, ({ name }) => room(name ?? ""))),
    HttpRouter.add("GET", "/open", HttpServerResponse.text("open")),
    HttpRouter.add(
      "GET",
      "/own",
      Effect.gen(function*() {
        const bulkhead = yield* inner
        return yield* bulkhead.run(bulkhead.run(Effect.succeed(HttpServerResponse.text("never"))))
      })
    )
  )
  const live = ServerStack.serve(routes, {
    service: "house",
    deadlines: Deadlines.stage(deadlines),
    admission: Admission.stage(options)
  }).pipe(
    Layer.provide(tokens),
    Layer.provideMerge(listener)
  )
  const isIn = (name: string) =>
    Effect.repeat(Effect.sleep("5 millis"), { until: () => entered.includes(name), times: 400 })
  return { entered, isIn, leave, live }
}

const get = (path: string, headers: Record<string, string> = {}) => ask(path, { headers: { ...bearer, ...headers } })
const inBackground = (path: string, headers?: Record<string, string>) => Effect.forkChild(get(path, headers))
/** Long enough for a request on this machine to have come to wait. */
const arrived = Effect.sleep("100 millis")

describe("Admission", () => {
  it.live("refuses with 503, Retry-After and a problem when house and queue are full; health and metrics never wait", () => {
    const { isIn, leave, live } = house({ permits: 1, queue: 1, retryAfter: "3 seconds" })
    return Effect.gen(function*() {
      const first = yield* inBackground("/room/one")
      yield* isIn("one")
      const second = yield* inBackground("/room/two")
      yield* arrived
      const refused = yield* get("/room/three")
      assert.strictEqual(refused.status, 503)
      assert.strictEqual(refused.headers["retry-after"], "3")
      assert.deepInclude(refused.body, {
        type: "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity",
        stage: "Middleware",
        requestId: refused.headers["x-request-id"]
      })
      for (const path of ["/health/live", "/health/ready", "/metrics"]) {
        assert.strictEqual((yield* ask(path)).status, 200, path)
      }
      yield* leave.open
      assert.deepStrictEqual([(yield* Fiber.join(first)).status, (yield* Fiber.join(second)).status], [200, 200])
      assert.strictEqual((yield* get("/room/four")).status, 200, "the permits came back")
    }).pipe(Effect.provide(live))
  })

  it.live("refuses before the token is looked at", () => {
    const { isIn, leave, live } = house({ permits: 1 })
    return Effect.gen(function*() {
      const first = yield* inBackground("/room/one")
      yield* isIn("one")
      assert.strictEqual((yield* ask("/room/two")).status, 503)
      yield* leave.open
      yield* Fiber.join(first)
      assert.strictEqual((yield* ask("/room/two")).status, 401)
    }).pipe(Effect.provide(live))
  })

  it.live("gives up the least urgent for a more urgent one, and serves the most urgent first", () => {
    const { entered, isIn, leave, live } = house({ permits: 1, queue: 2 })
    return Effect.gen(function*() {
      const first = yield* inBackground("/room/first")
      yield* isIn("first")
      const low = yield* inBackground("/room/low", { "x-request-priority": "low" })
      yield* arrived
      const normal = yield* inBackground("/room/normal")
      yield* arrived
      const critical = yield* inBackground("/room/critical", { "x-request-priority": "critical" })
      assert.strictEqual((yield* Fiber.join(low)).status, 503)
      assert.strictEqual((yield* get("/room/late", { "x-request-priority": "low" })).status, 503)
      yield* leave.open
      for (const fiber of [first, normal, critical]) assert.strictEqual((yield* Fiber.join(fiber)).status, 200)
      assert.deepStrictEqual(entered, ["first", "critical", "normal"])
    }).pipe(Effect.provide(live))
  })

  it.live("counts the wait against the deadline: 504 when it ends in the queue, 503 when only the wait does", () => {
    const { isIn, leave, live } = house({ permits: 1, queue: 5, maxWait: "400 millis" })
    return Effect.gen(function*() {
      const first = yield* inBackground("/room/first")
      yield* isIn("first")
      const [late, tired] = yield* Effect.all(
        [get("/room/late", { "x-request-timeout": "0.15" }), get("/room/tired")],
        { concurrency: 2 }
      )
      assert.deepStrictEqual([late.status, late.body["type"]], [504, "urn:problem:deadline-exceeded"])
      assert.deepStrictEqual([tired.status, late.body["stage"]], [503, "Middleware"])
      yield* leave.open
      yield* Fiber.join(first)
      assert.strictEqual((yield* get("/room/next")).status, 200)
    }).pipe(Effect.provide(live))
  })

  it.live("forgets a client that leaves the queue", () => {
    const { entered, isIn, leave, live } = house({ permits: 1, queue: 1 })
    return Effect.gen(function*() {
      const first = yield* inBackground("/room/first")
      yield* isIn("first")
      const gone = yield* inBackground("/room/gone")
      yield* arrived
      yield* Fiber.interrupt(gone)
      yield* arrived
      const next = yield* inBackground("/room/next")
      yield* arrived
      yield* leave.open
      assert.strictEqual((yield* Fiber.join(next)).status, 200)
      yield* Fiber.join(first)
      assert.deepStrictEqual(entered, ["first", "next"])
    }).pipe(Effect.provide(live))
  })

  it.live("takes a route's priority, unless the caller said how urgent it is", () => {
    const { leave, live } = house(
      { permits: 9, priorities: { low: ["GET /reports/*"], critical: ["/room/:name"] } },
      { priorityCodecs: [Priority.xRequestPriority, Priority.rfc9218] }
    )
    return Effect.gen(function*() {
      yield* leave.open
      const priorityOf = (path: string, headers?: Record<string, string>) =>
        Effect.map(get(path, headers), ({ text }) => text)
      assert.strictEqual(yield* priorityOf("/room/a"), "critical")
      assert.strictEqual(yield* priorityOf("/reports/a"), "low")
      assert.strictEqual(yield* priorityOf("/room/a", { "x-request-priority": "low" }), "low")
      assert.strictEqual(yield* priorityOf("/reports/a", { priority: "u=2, i" }), "high")
    }).pipe(Effect.provide(live))
  })

  it.live("lets exempt routes in while the house is full", () => {
    const { isIn, leave, live } = house({ permits: 1, exempt: ["/open"] })
    return Effect.gen(function*() {
      const first = yield* inBackground("/room/first")
      yield* isIn("first")
      assert.strictEqual((yield* get("/open")).status, 200)
      assert.strictEqual((yield* get("/room/second")).status, 503)
      yield* leave.open
      yield* Fiber.join(first)
    }).pipe(Effect.provide(live))
  })

  it.live("leaves the refusals of a handler's own bulkhead to it", () =>
    Effect.gen(function*() {
      const own = yield* get("/own")
      assert.deepStrictEqual([own.status, own.body["type"]], [503, "urn:problem:bulkhead-rejected"])
    }).pipe(Effect.provide(house({ permits: 1 }).live)))

  it.live("shows what runs, what waits and the limit as gauges", () => {
    const { isIn, leave, live } = house({ permits: 1, queue: 4 })
    return Effect.gen(function*() {
      const first = yield* inBackground("/room/first")
      yield* isIn("first")
      const second = yield* inBackground("/room/second")
      yield* arrived
      const page = (yield* ask("/metrics")).text
      for (
        const line of [
          /^bulkhead_in_flight\{resilience_name="admission"\} 1$/m,
          /^bulkhead_queued\{resilience_name="admission"\} 1$/m,
          /^bulkhead_limit\{resilience_name="admission"\} 1$/m
        ]
      ) assert.match(page, line)
      yield* leave.open
      yield* Fiber.join(first)
      yield* Fiber.join(second)
    }).pipe(
      Effect.provide(live.pipe(
        Layer.provide(Observed.layer),
        Layer.provide(Layer.succeed(Metric.MetricRegistry, new Map()))
      ))
    )
  })

  it.live("finds its limit with an algorithm: a handler that is too slow lowers it", () => {
    const reports: Array<Recorder.Report> = []
    const { isIn, leave, live } = house({ algorithm: Bulkhead.aimd({ initial: 4, timeout: "20 millis" }) })
    return Effect.gen(function*() {
      const slow = yield* inBackground("/room/a")
      yield* isIn("a")
      yield* arrived
      yield* leave.open
      yield* Fiber.join(slow)
      const limits = reports.flatMap((report) => report._tag === "BulkheadMoved" ? [report.limit] : [])
      assert.deepStrictEqual([limits.at(0), limits.at(-1)], [4, 3])
    }).pipe(Effect.provide(live.pipe(Layer.provide(recording(reports)))))
  })

  it("lowers an adaptive limit for 503 and 504, not for a caller who asks too much", () => {
    const said = (status: number) => Admission.classify(Exit.succeed(HttpServerResponse.empty({ status })))
    assert.deepStrictEqual([200, 429, 500, 503, 504].map(said), ["sample", "ignore", "ignore", "drop", "drop"])
  })

  it("throws for a number without sense", () => {
    assert.throws(() => Admission.stage({ permits: 0 }), InvalidOption.InvalidOption)
  })
})
