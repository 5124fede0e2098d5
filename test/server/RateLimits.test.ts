import { NodeRedis } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Scope } from "effect"
import type { Recorder } from "effect-lifecycle/lifecycle"
import { InvalidOption } from "effect-lifecycle/resilience"
import { RateLimits, SecurityHeaders, ServerStack } from "effect-lifecycle/server"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import { canRun, redis } from "../faults/sharedCircuit.harness.ts"
import { ask, bearer, listener, tokens } from "./harness.ts"
import { recording } from "./records.ts"

const routes = Layer.mergeAll(
  HttpRouter.add("GET", "/orders", HttpServerResponse.text("orders")),
  HttpRouter.add("GET", "/reports", HttpServerResponse.text("reports")),
  HttpRouter.add("GET", "/free", HttpServerResponse.text("free")),
  HttpRouter.add("GET", "/docs", HttpServerResponse.text("docs")),
  HttpRouter.add("GET", "/broken", Effect.die(new Error("broken")))
)

const one = (name: string, limit: number, window: "1 minute" | "1 hour" = "1 minute") =>
  [{ name, limit, window }] as const

const serve = (options: {
  readonly limitByAddress?: Parameters<typeof RateLimits.byAddress>[0]
  readonly limitByUser?: Parameters<typeof RateLimits.byUser>[0]
}, limiter: Layer.Layer<RateLimiter.RateLimiter> = RateLimits.layerMemory()) =>
  ServerStack.serve(routes, {
    service: "limited",
    // A 429 must not be stored, also where other answers may be.
    securityHeaders: SecurityHeaders.stage({ headers: { "cache-control": "max-age=60" } }),
    limitByAddress: RateLimits.byAddress(
      options.limitByAddress ?? { policies: one("unused", 1_000_000), exempt: ["/*"] }
    ),
    limitByUser: RateLimits.byUser(options.limitByUser ?? { policies: one("unused", 1_000_000), exempt: ["/*"] })
  }).pipe(Layer.provide([tokens, limiter]), Layer.provideMerge(listener))

const get = (path: string, headers: Record<string, string> = bearer) => ask(path, { headers })
const statuses = <R>(asked: ReadonlyArray<Effect.Effect<{ readonly status: number }, never, R>>) =>
  Effect.map(Effect.all(asked), (answers) => answers.map(({ status }) => status))
const bob = { authorization: "Bearer token456" }

describe("RateLimits", () => {
  it.effect("tells the quota on every answer, refuses beyond it with 429, and lets the caller in again in time", () =>
    Effect.gen(function*() {
      const first = yield* get("/orders")
      assert.deepInclude(first.headers, { "ratelimit-policy": "\"user\";q=3;w=60", ratelimit: "\"user\";r=2;t=20" })
      const broken = yield* get("/broken")
      assert.deepStrictEqual([broken.status, broken.headers["ratelimit"]], [500, "\"user\";r=1;t=40"])
      yield* get("/orders")
      const refused = yield* get("/orders")
      assert.strictEqual(refused.status, 429)
      assert.deepInclude(refused.headers, {
        "retry-after": "20",
        "cache-control": "no-store",
        "ratelimit-policy": "\"user\";q=3;w=60",
        ratelimit: "\"user\";r=0;t=20"
      })
      assert.deepInclude(refused.body, {
        type: "https://iana.org/assignments/http-problem-types#quota-exceeded",
        status: 429,
        stage: "Middleware",
        requestId: refused.headers["x-request-id"]
      })
      assert.deepStrictEqual(refused.body["violated-policies"], ["user"])
      assert.strictEqual((yield* get("/orders", bob)).status, 200, "another user has a quota of its own")
      yield* TestClock.adjust("19 seconds")
      assert.deepInclude((yield* get("/orders")).headers, { "retry-after": "1" })
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* get("/orders")).status, 200, "as Retry-After has said")
    }).pipe(Effect.provide(serve({ limitByUser: { policies: one("user", 3) } }))))

  it.effect("counts by address before the token is looked at, and writes both limits into one list", () =>
    Effect.gen(function*() {
      const known = yield* get("/orders")
      assert.strictEqual(known.headers["ratelimit-policy"], "\"door\";q=3;w=60, \"user\";q=9;w=60")
      assert.strictEqual(known.headers["ratelimit"], "\"door\";r=2;t=20, \"user\";r=8;t=7")
      assert.deepStrictEqual(
        yield* statuses([get("/orders", {}), get("/orders", {}), get("/orders", {}), get("/orders")]),
        [
          401,
          401,
          429,
          429
        ]
      )
      assert.deepStrictEqual(yield* statuses([ask("/health/live"), ask("/metrics")]), [200, 200])
    }).pipe(
      Effect.provide(serve({ limitByAddress: { policies: one("door", 3) }, limitByUser: { policies: one("user", 9) } }))
    ))

  it.effect("counts by the client that trusted proxies name, and an IPv6 customer by its network", () =>
    Effect.gen(function*() {
      const from = (address: string) => get("/orders", { ...bearer, "x-forwarded-for": address })
      assert.deepStrictEqual(
        yield* statuses([
          from("203.0.113.1"),
          from("203.0.113.2"),
          from("198.51.100.7, 203.0.113.1, 10.0.0.3"),
          from("2001:db8:1:2:aaaa::1"),
          from("2001:db8:1:2:bbbb::1"),
          from("2001:db8:1:3::1")
        ]),
        [200, 200, 429, 200, 429, 200]
      )
    }).pipe(Effect.provide(serve({ limitByAddress: { policies: one("door", 1) } }))))

  it.effect("believes no header of a peer that is not trusted", () =>
    Effect.gen(function*() {
      const from = (address: string) => get("/orders", { ...bearer, "x-forwarded-for": address })
      assert.deepStrictEqual(yield* statuses([from("203.0.113.1"), from("203.0.113.2")]), [200, 429])
    }).pipe(Effect.provide(serve({ limitByAddress: { policies: one("door", 1), trust: "none" } }))))

  it.effect("takes what a route costs, nothing for a free one, and leaves exempt ones and nobody alone", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* get("/reports")).headers["ratelimit"], "\"user\";r=2;t=36")
      const free = yield* get("/free")
      assert.deepStrictEqual([free.status, free.headers["ratelimit"]], [200, undefined])
      const docs = yield* get("/docs", {})
      assert.deepStrictEqual([docs.status, docs.headers["ratelimit"]], [200, undefined])
      assert.deepStrictEqual(
        yield* statuses([get("/reports"), get("/orders"), get("/orders"), get("/free"), get("/broken")]),
        [
          429,
          200,
          200,
          200,
          500
        ]
      )
    }).pipe(Effect.provide(
      serve({ limitByUser: { policies: one("user", 5), cost: { "GET /reports": 3, "/free": 0 }, exempt: ["/broken"] } })
    )))

  it.effect("takes no quota back for a cost that was computed to nonsense", () => {
    let cost = Number.NaN
    return Effect.gen(function*() {
      assert.strictEqual((yield* get("/orders")).headers["ratelimit"], "\"user\";r=4;t=12")
      cost = -100
      assert.strictEqual((yield* get("/orders")).headers["ratelimit"], "\"user\";r=3;t=24")
      cost = 0.5
      assert.strictEqual((yield* get("/orders")).headers["ratelimit"], "\"user\";r=2;t=36")
      cost = 50
      assert.strictEqual((yield* get("/orders")).status, 429)
    }).pipe(Effect.provide(serve({ limitByUser: { policies: one("user", 5), cost: () => cost } })))
  })

  it.effect("asks several policies, and names the one that is used up", () =>
    Effect.gen(function*() {
      const first = yield* get("/orders")
      assert.strictEqual(first.headers["ratelimit-policy"], "\"burst\";q=2;w=1, \"day\";q=3;w=86400")
      assert.strictEqual(first.headers["ratelimit"], "\"burst\";r=1;t=1, \"day\";r=2;t=28800")
      yield* get("/orders")
      const burst = yield* get("/orders")
      assert.deepStrictEqual([burst.body["violated-policies"], burst.headers["retry-after"]], [["burst"], "1"])
      yield* TestClock.adjust("10 seconds")
      yield* get("/orders")
      const day = yield* get("/orders")
      assert.deepStrictEqual(day.body["violated-policies"], ["day"])
      assert.isAbove(Number(day.headers["retry-after"]), 80_000)
    }).pipe(Effect.provide(serve({
      limitByUser: {
        policies: [
          { name: "burst", limit: 2, window: "1 second" },
          { name: "day", limit: 3, window: "1 day", algorithm: "fixed-window" }
        ]
      }
    }))))

  it.effect("counts by another key where one is given", () =>
    Effect.gen(function*() {
      const key = (value: string) => get("/orders", { ...bearer, "x-tenant": value })
      assert.deepStrictEqual(yield* statuses([key("a"), key("b"), key("a"), get("/orders"), get("/orders")]), [
        200,
        200,
        429,
        200,
        200
      ])
    }).pipe(Effect.provide(
      serve({ limitByUser: { policies: one("tenant", 1), key: (_user, request) => request.headers["x-tenant"] } })
    )))

  /** A limiter whose store does what it is told. */
  const store = (answer: () => Effect.Effect<never, RateLimiter.RateLimiterError>) => {
    let asked = 0
    const layer = Layer.succeed(RateLimiter.RateLimiter, {
      [RateLimiter.TypeId]: RateLimiter.TypeId,
      consume: () => Effect.suspend(() => (asked++, answer())),
      adaptiveConsume: () => Effect.die("not asked"),
      adaptiveFeedback: () => Effect.die("not asked")
    })
    return { layer, asked: () => asked }
  }
  const failing = () =>
    Effect.fail(
      new RateLimiter.RateLimiterError({ reason: new RateLimiter.RateLimitStoreError({ message: "away" }) })
    )

  it.live("passes and reports while the store is away, and soon asks it no more", () => {
    const reports: Array<Recorder.Report> = []
    const { asked, layer } = store(failing)
    return Effect.gen(function*() {
      for (let index = 0; index < 8; index++) {
        const { headers, status } = yield* get("/orders")
        assert.deepStrictEqual([status, headers["ratelimit"]], [200, undefined])
      }
      assert.strictEqual(asked(), 5)
      assert.deepStrictEqual(
        reports.flatMap((report) => report._tag === "RateLimitApplied" ? [report] : []),
        Array.from({ length: 8 }, () => ({ _tag: "RateLimitApplied", policy: "user", outcome: "skipped" }))
      )
    }).pipe(
      Effect.provide(
        serve({ limitByUser: { policies: one("user", 1) } }, layer).pipe(Layer.provide(recording(reports)))
      )
    )
  })

  it.live("does not wait for a store that hangs", () => {
    const { layer } = store(() => Effect.never)
    return Effect.gen(function*() {
      const began = performance.now()
      assert.strictEqual((yield* get("/orders")).status, 200)
      const took = performance.now() - began
      assert.isAbove(took, 45)
      assert.isBelow(took, 1000)
    }).pipe(Effect.provide(serve({ limitByUser: { policies: one("user", 1), timeout: "50 millis" } }, layer)))
  })

  it.live("refuses with 503 where it is closed while the store is away", () =>
    Effect.gen(function*() {
      const refused = yield* get("/orders")
      assert.deepStrictEqual([refused.status, refused.headers["retry-after"]], [503, "1"])
      assert.strictEqual(refused.body["type"], "urn:problem:rate-limits-unavailable")
      assert.strictEqual((yield* ask("/health/live")).status, 200)
    }).pipe(
      Effect.provide(serve({ limitByUser: { policies: one("user", 1), onStoreAway: "closed" } }, store(failing).layer))
    ))

  it.live.skipIf(!canRun)("shares a quota between processes over Redis, and outlives it", () =>
    Effect.gen(function*() {
      const end = yield* Scope.fork(yield* Effect.scope)
      const path = yield* Effect.provideService(redis, Scope.Scope, end)
      const limiter = RateLimiter.layer.pipe(
        Layer.provide(RateLimiter.layerStoreRedis({ prefix: "test:" })),
        Layer.provide(NodeRedis.layer({ disableOfflineQueue: true, socket: { path, tls: false } }))
      )
      const one_ = { limitByUser: { policies: one("user", 3, "1 hour"), timeout: "200 millis" } } as const
      const build = Effect.map(
        Layer.build(Layer.fresh(serve(one_, limiter as Layer.Layer<RateLimiter.RateLimiter>))),
        Context.pick(HttpServer.HttpServer)
      )
      const [a, b] = [yield* build, yield* build]
      const from = (server: typeof a) => Effect.provideContext(get("/orders"), server)
      assert.deepStrictEqual(yield* statuses([from(a), from(b), from(a), from(b), from(a)]), [200, 200, 200, 429, 429])
      assert.strictEqual((yield* from(b)).headers["ratelimit"]?.startsWith("\"user\";r=0;t="), true)
      yield* Scope.close(end, Effect.runSyncExit(Effect.void))
      assert.strictEqual((yield* from(a)).status, 200, "the store is away, the server is not")
    }), 30_000)

  it("throws for policies and costs without sense", () => {
    const bad = (options: Parameters<typeof RateLimits.byUser>[0]) =>
      assert.throws(() => RateLimits.byUser(options), InvalidOption.InvalidOption)
    bad({ policies: one("no good\r\n", 1) })
    bad({ policies: one("zero", 0) })
    bad({ policies: [...one("twice", 1), ...one("twice", 2)] })
    bad({ policies: [{ name: "never", limit: 1, window: 0 }] })
    bad({ policies: one("user", 5), cost: { "/huge": 6 } })
    bad({ policies: one("user", 5), cost: { "/negative": -1 } })
    bad({ policies: one("user", 5), timeout: -1 })
  })
})
