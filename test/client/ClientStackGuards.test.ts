import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Effect, Exit, Fiber } from "effect"
import { ClientStack } from "effect-lifecycle/client"
import { Deadline } from "effect-lifecycle/request"
import {
  Bulkhead,
  CircuitBreaker,
  RequestStrategy,
  RetrySchedule,
  Throttle,
  Verdict
} from "effect-lifecycle/resilience"
import { FakeUpstream } from "effect-lifecycle/testing"
import { HttpClientResponse } from "effect/http"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import { inVirtualTime } from "./virtual.ts"

const url = "http://up.test"
const unavailable = FakeUpstream.respond({ status: 503 })
const ok = FakeUpstream.respond({ status: 200, body: "fine" })
const exactly = (attempts: number) =>
  RequestStrategy.sequential({ attempts, delay: "100 millis", jitter: RetrySchedule.none })
const breakerOf = (failures: number) =>
  CircuitBreaker.make({ name: "up", trip: CircuitBreaker.consecutive(failures), breakDuration: "10 seconds" })

describe("ClientStack parts", () => {
  it.effect("are described in their order, and only those there are", () =>
    Effect.gen(function*() {
      const breaker = yield* breakerOf(1)
      const bulkhead = yield* Bulkhead.make({ name: "calls", permits: 1 })
      const throttle = yield* Throttle.make()
      const limiter = yield* RateLimiter.make.pipe(Effect.provide(RateLimiter.layerStoreMemory))
      const names = (options: ClientStack.Options) => ClientStack.describe(options).map((part) => part.name)
      assert.deepStrictEqual(
        names({
          buffer: true,
          rateLimit: { limiter, limit: 1, window: "1 second" },
          redirects: 3,
          throttle,
          bulkhead,
          breaker,
          fallback: { fallback: () => Effect.die("unused") }
        }),
        [
          "deadline",
          "metrics",
          "span",
          "fallback",
          "strategy",
          "lowTime",
          "breaker",
          "bulkhead",
          "throttle",
          "rateLimit",
          "attemptSpan",
          "attemptDeadline",
          "headers",
          "body",
          "redirects",
          "transport"
        ]
      )
      assert.deepStrictEqual(names({ headers: false, metrics: false, spans: false }), [
        "deadline",
        "strategy",
        "lowTime",
        "attemptDeadline",
        "transport"
      ])
      const details = Object.fromEntries(ClientStack.describe().map((part) => [part.name, part.detail]))
      assert.strictEqual(details["deadline"], "20s")
      assert.strictEqual(details["lowTime"], "5ms")
      assert.strictEqual(details["strategy"], "byMethod, at most 3 attempts")
    }))

  it.effect("breaker inside strategy: each attempt counts, and an open circuit answers at once", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(unavailable)
      const breaker = yield* breakerOf(3)
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: url, breaker, strategy: exactly(3) }))
      assert.strictEqual((yield* inVirtualTime(client.get("/a"))).status, 503)
      assert.strictEqual((yield* breaker.snapshot(url)).state, "Open")
      const before = yield* Clock.currentTimeMillis
      const refused = yield* Effect.flip(client.get("/a"))
      assert.strictEqual(refused._tag, "CircuitOpen")
      assert.strictEqual(yield* Clock.currentTimeMillis, before)
      assert.lengthOf(yield* upstream.requests, 3)
    }))

  it.effect("breaker per endpoint: an open one lets the attempt go to another endpoint", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client((request) => request.headers["host"] === "a.test" ? unavailable : ok)
      const breaker = yield* breakerOf(1)
      const client = upstream.client.pipe(ClientStack.make({
        baseUrl: (attempt) => attempt.number === 1 ? "http://a.test" : "http://b.test",
        breaker,
        strategy: exactly(2)
      }))
      assert.strictEqual((yield* inVirtualTime(client.get("/1"))).status, 200)
      assert.strictEqual((yield* inVirtualTime(client.get("/2"))).status, 200)
      assert.strictEqual((yield* breaker.snapshot("http://a.test")).state, "Open")
      assert.strictEqual((yield* breaker.snapshot("http://b.test")).state, "Closed")
      const hosts = (yield* upstream.requests).map(({ headers, path }) => `${headers["host"]}${path}`)
      assert.deepStrictEqual(hosts, ["a.test/1", "b.test/1", "b.test/2"])
    }))

  it.effect("a call without time never reaches the breaker, open or half open", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client([unavailable, ok])
      const breaker = yield* breakerOf(1)
      const client = upstream.client.pipe(
        ClientStack.make({ baseUrl: url, breaker, lowTime: "50 millis", strategy: RequestStrategy.single })
      )
      yield* client.get("/a")
      const spent = client.get("/a").pipe(Deadline.within("49 millis"), Effect.flip)
      const open = yield* breaker.snapshot(url)
      assert.strictEqual((yield* spent)._tag, "DeadlineExceeded")
      assert.deepStrictEqual(yield* breaker.snapshot(url), open)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* spent)._tag, "DeadlineExceeded")
      assert.deepStrictEqual((yield* breaker.snapshot(url)).counts, open.counts)
      assert.lengthOf(yield* upstream.requests, 1)
      // The probe's permit is still there.
      assert.strictEqual((yield* client.get("/a")).status, 200)
      assert.strictEqual((yield* breaker.snapshot(url)).state, "Closed")
    }))

  it.effect("a time budget of nothing is refused the same way, and by a deadline that has already passed", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(ok)
      const breaker = yield* breakerOf(1)
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: url, breaker, timeout: 0 }))
      assert.strictEqual((yield* Effect.flip(client.get("/a")))._tag, "DeadlineExceeded")
      assert.deepStrictEqual(yield* breaker.keys, [])
      assert.lengthOf(yield* upstream.requests, 0)
    }))

  for (
    const [name, options] of [
      ["the call's", { timeout: "1 second" }],
      ["its own", { attemptTimeout: "1 second" }],
      ["a share of the call's", {
        timeout: "2 seconds",
        strategy: RequestStrategy.sequential({ attempts: 2, split: "even", delay: 0, jitter: RetrySchedule.none })
      }]
    ] satisfies ReadonlyArray<readonly [string, ClientStack.Options]>
  ) {
    it.effect(`the breaker hears of an upstream that hangs until ${name} time is up`, () =>
      Effect.gen(function*() {
        const upstream = yield* FakeUpstream.client(FakeUpstream.never)
        const breaker = yield* breakerOf(1)
        const client = upstream.client.pipe(
          ClientStack.make({ baseUrl: url, breaker, strategy: "none", ...options })
        )
        const error = yield* Effect.flip(inVirtualTime(client.get("/a")))
        assert.oneOf(error._tag, ["DeadlineExceeded", "CircuitOpen"])
        const { counts, state } = yield* breaker.snapshot(url)
        assert.strictEqual(state, "Open")
        assert.strictEqual(counts.failure, 1)
      }))
  }

  it.effect("the caller hears of the deadline on time, not a tick before", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(FakeUpstream.never)
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: url, timeout: "500 millis" }))
      const error = yield* Effect.flip(inVirtualTime(client.get("/a")))
      assert.strictEqual(error._tag, "DeadlineExceeded")
      assert.deepInclude(error, { budgetMillis: 500, elapsedMillis: 500 })
      assert.strictEqual((yield* upstream.requests)[0]?.outcome, "aborted")
    }))

  it.effect("a caller who goes away says nothing about the other side", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(FakeUpstream.never)
      const breaker = yield* breakerOf(1)
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: url, breaker }))
      const fiber = yield* Effect.forkChild(client.get("/a"))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)
      const { counts, state } = yield* breaker.snapshot(url)
      assert.deepStrictEqual([state, counts.failure, counts.neutral], ["Closed", 0, 1])
    }))

  it.effect("bulkhead inside breaker: what it refuses opens no circuit", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(FakeUpstream.respond({ latency: "1 second" }))
      const breaker = yield* breakerOf(1)
      const bulkhead = yield* Bulkhead.make({ name: "calls", permits: 1 })
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: url, breaker, bulkhead, strategy: "none" }))
      const first = yield* Effect.forkChild(client.get("/a"))
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Effect.flip(client.get("/b")))._tag, "BulkheadRejected")
      const { counts, state } = yield* breaker.snapshot(url)
      assert.deepStrictEqual([state, counts.neutral, counts.rejected], ["Closed", 1, 0])
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(first)).status, 200)
    }))

  it.effect("breaker outside bulkhead: an open circuit takes no permit", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client([unavailable, FakeUpstream.never])
      const breaker = yield* breakerOf(1)
      const bulkhead = yield* Bulkhead.keyed({ name: "calls", permits: 1 })
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: url, breaker, bulkhead, strategy: "none" }))
      yield* client.get("/a")
      const refused = yield* Effect.forEach([1, 2, 3], () => Effect.flip(client.get("/a")), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(refused.map((error) => error._tag), ["CircuitOpen", "CircuitOpen", "CircuitOpen"])
    }))

  it.effect("bulkhead inside strategy: no permit is held while a retry waits", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client({ "/a": unavailable, "/b": ok })
      const bulkhead = yield* Bulkhead.make({ name: "calls", permits: 1 })
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: url, bulkhead, strategy: exactly(2) }))
      const waiting = yield* Effect.forkChild(client.get("/a"))
      yield* TestClock.adjust(50)
      assert.strictEqual((yield* client.get("/b")).status, 200)
      yield* TestClock.adjust(50)
      assert.strictEqual((yield* Fiber.join(waiting)).status, 503)
    }))

  it.effect("a wait in the queue that takes all the time is neither sent nor the other side's failure", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client({ "/slow": FakeUpstream.respond({ latency: "5 seconds" }), "/b": ok })
      const breaker = yield* breakerOf(1)
      const bulkhead = yield* Bulkhead.make({ name: "calls", permits: 1, queue: 5 })
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: url, breaker, bulkhead, strategy: "none" }))
      const slow = yield* Effect.forkChild(client.get("/slow"))
      yield* TestClock.adjust(1)
      const late = yield* Effect.forkChild(Effect.exit(client.get("/b").pipe(Deadline.within("1 second"))))
      yield* TestClock.adjust("1 second")
      const exit = yield* Fiber.join(late)
      assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof Object)
      assert.lengthOf(yield* upstream.requests, 1)
      assert.strictEqual((yield* breaker.snapshot(url)).counts.failure, 0)
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(slow)
    }))

  it.effect("a turn that comes when there is no time left is not taken, and says nothing about the other side", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client({
        "/slow": FakeUpstream.respond({ latency: "998 millis" }),
        "/b": ok
      })
      const breaker = yield* breakerOf(1)
      const bulkhead = yield* Bulkhead.make({ name: "calls", permits: 1, queue: 5 })
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: url, breaker, bulkhead, strategy: "none" }))
      const slow = yield* Effect.forkChild(client.get("/slow"))
      yield* TestClock.adjust(1)
      const late = yield* Effect.forkChild(Effect.flip(client.get("/b").pipe(Deadline.within("1 second"))))
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(slow)).status, 200)
      assert.strictEqual((yield* Fiber.join(late))._tag, "DeadlineExceeded")
      assert.lengthOf(yield* upstream.requests, 1)
      const { counts, state } = yield* breaker.snapshot(url)
      assert.deepStrictEqual([state, counts.success, counts.failure, counts.neutral], ["Closed", 1, 0, 1])
    }))

  it.effect("rate limit inside strategy: retries are counted, and wait for their turn", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(unavailable)
      const limiter = yield* RateLimiter.make
      const limit = { limiter, limit: 1, window: "1 second", algorithm: "token-bucket" } as const
      const client = upstream.client.pipe(
        ClientStack.make({ baseUrl: url, rateLimit: limit, strategy: exactly(3) })
      )
      yield* inVirtualTime(client.get("/a"))
      const times = (yield* upstream.requests).map((request) => Math.round(request.arrivedAtMillis / 1000))
      assert.deepStrictEqual(times, [0, 1, 2])

      const strict = upstream.client.pipe(ClientStack.make({
        baseUrl: "http://other.test",
        rateLimit: { ...limit, onExceeded: "fail" },
        strategy: "none"
      }))
      yield* strict.get("/a")
      assert.strictEqual((yield* Effect.flip(strict.get("/a")))._tag, "RateLimiterError")
    }).pipe(Effect.provide(RateLimiter.layerStoreMemory)))

  it.effect("strategy by default: an outage is not answered with a multiple of the load", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(unavailable)
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: url }))
      const calls = Effect.forEach(Array.from({ length: 1000 }), () => client.get("/a"), { concurrency: "unbounded" })
      yield* inVirtualTime(calls)
      // A fifth of the calls, and 10 a second over 10 seconds.
      assert.isAtMost((yield* upstream.requests).length, 1000 + 200 + 100)
      assert.isAbove((yield* upstream.requests).length, 1000)
    }))

  it.effect("throttle hears of each attempt and sheds before anything is sent", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(unavailable)
      const throttle = yield* Throttle.make()
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: url, throttle, strategy: "none" }))
      const exits = yield* Effect.forEach(Array.from({ length: 60 }), () => Effect.exit(client.get("/a")))
      const shed = exits.filter(Exit.isFailure).length
      assert.isAbove(shed, 0)
      assert.strictEqual((yield* upstream.requests).length, 60 - shed)
    }))
})

describe("ClientStack fallback", () => {
  const answered = (text: string) => (_: unknown, request: Parameters<typeof HttpClientResponse.fromWeb>[0]) =>
    Effect.succeed(HttpClientResponse.fromWeb(request, new Response(text, { status: 203 })))

  it.effect("stands outside the strategy: once, after the last attempt", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client([unavailable, FakeUpstream.reset()])
      const causes: Array<string> = []
      const client = upstream.client.pipe(ClientStack.make({
        baseUrl: url,
        strategy: exactly(2),
        fallback: {
          fallback: (cause, request) => {
            causes.push(...cause.reasons.map((reason) => Cause.isFailReason(reason) ? reason.error._tag : reason._tag))
            return answered("from the cache")(cause, request)
          }
        }
      }))
      const response = yield* inVirtualTime(client.get("/a"))
      assert.deepStrictEqual([response.status, yield* response.text], [203, "from the cache"])
      assert.lengthOf(causes, 1)
      assert.lengthOf(yield* upstream.requests, 2)
    }))

  it.effect("takes over for an open circuit and for a rejected response", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(unavailable)
      const breaker = yield* breakerOf(1)
      const client = upstream.client.pipe(
        ClientStack.make({ baseUrl: url, breaker, strategy: "none", fallback: { fallback: answered("cached") } })
      )
      assert.strictEqual((yield* client.get("/a")).status, 203)
      assert.strictEqual((yield* client.get("/a")).status, 203)
      assert.lengthOf(yield* upstream.requests, 1)
    }))

  it.effect("leaves accepted responses, and those it was not made for, as they are", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client({
        "/missing": FakeUpstream.respond({ status: 404 }),
        "/down": FakeUpstream.respond({ status: 503, body: "why" })
      })
      const client = upstream.client.pipe(ClientStack.make({
        baseUrl: url,
        strategy: "none",
        fallback: { on: ["DeadlineExceeded"], fallback: answered("cached") }
      }))
      assert.strictEqual((yield* client.get("/missing")).status, 404)
      const down = yield* client.get("/down")
      assert.deepStrictEqual([down.status, yield* down.text], [503, "why"])
      const only = upstream.client.pipe(ClientStack.make({
        baseUrl: url,
        strategy: "none",
        fallback: { responses: false, fallback: answered("cached") }
      }))
      assert.strictEqual((yield* only.get("/down")).status, 503)
    }))

  it.effect("stands inside the deadline: it has what is left and no more", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(FakeUpstream.never)
      const client = upstream.client.pipe(ClientStack.make({
        baseUrl: url,
        timeout: "1 second",
        attemptTimeout: "600 millis",
        strategy: "none",
        fallback: { fallback: () => Effect.never }
      }))
      const fiber = yield* Effect.forkChild(Effect.flip(client.get("/a")))
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "DeadlineExceeded")
    }))

  it.effect("verdict of one's own: strategy, breaker and fallback all follow it", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(FakeUpstream.respond({ status: 404 }))
      const breaker = yield* breakerOf(2)
      const client = upstream.client.pipe(ClientStack.make({
        baseUrl: url,
        breaker,
        strategy: exactly(2),
        verdict: Verdict.httpWith({ status: { 404: Verdict.reject() } }),
        fallback: { fallback: answered("cached") }
      }))
      assert.strictEqual((yield* inVirtualTime(client.get("/a"))).status, 203)
      assert.lengthOf(yield* upstream.requests, 2)
      assert.strictEqual((yield* breaker.snapshot(url)).state, "Open")
    }))
})
