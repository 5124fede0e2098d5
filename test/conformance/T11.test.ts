/**
 * T11: no attempt, connection, redirect, wait between attempts, wait in a queue or read of a body passes the deadline of
 * its call.
 */
import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Fiber, Option, Stream } from "effect"
import { ClientStack } from "effect-lifecycle/client"
import { Deadline } from "effect-lifecycle/request"
import { Bulkhead, RequestStrategy, RetrySchedule } from "effect-lifecycle/resilience"
import { FakeUpstream } from "effect-lifecycle/testing"
import { FetchHttpClient, HttpClient, type HttpClientResponse } from "effect/http"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import { createServer } from "node:net"
import { inVirtualTime } from "../client/virtual.ts"

const url = "http://up.test"
const options = { baseUrl: url, timeout: "500 millis" } as const
const trickling = FakeUpstream.trickle({ body: "x".repeat(100), every: "20 millis" })

/** Runs to its end and says when that was. */
const timed = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const start = yield* Clock.currentTimeMillis
    const exit = yield* Effect.exit(inVirtualTime(self))
    return { exit, millis: (yield* Clock.currentTimeMillis) - start }
  })

const isOutOfTime = (error: unknown): boolean =>
  Option.exists(ClientStack.refusalOf(error), (refusal) => refusal._tag === "DeadlineExceeded")

describe("T11 the deadline of a call ends everything it does", () => {
  it.effect("an attempt that hangs", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(FakeUpstream.never)
      const client = upstream.client.pipe(ClientStack.make(options))
      const { exit, millis } = yield* timed(Effect.flip(client.get("/a")))
      assert.isTrue(exit._tag === "Success" && isOutOfTime(exit.value))
      assert.strictEqual(millis, 500)
      assert.deepStrictEqual((yield* upstream.requests).map((request) => request.outcome), ["aborted"])
    }))

  it.effect("attempts that fail late share one budget", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(FakeUpstream.reset({ latency: "200 millis" }))
      const client = upstream.client.pipe(ClientStack.make({
        ...options,
        strategy: RequestStrategy.sequential({ attempts: 10, delay: 0, jitter: RetrySchedule.none })
      }))
      const { millis } = yield* timed(client.get("/a"))
      assert.isAtMost(millis, 500)
      assert.lengthOf(yield* upstream.requests, 3)
    }))

  it.effect("a wait between attempts, however long the other side asks for", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(
        FakeUpstream.respond({ status: 503, headers: { "retry-after": "20" } })
      )
      const client = upstream.client.pipe(ClientStack.make({ ...options, timeout: "10 seconds" }))
      const { exit, millis } = yield* timed(client.get("/a"))
      assert.strictEqual(exit._tag === "Success" && exit.value.status, 503)
      assert.isAtMost(millis, 1)
    }))

  it.effect("redirects: each has what the one before left", () =>
    Effect.gen(function*() {
      const again = FakeUpstream.respond({ status: 302, headers: { location: "/again" }, latency: "200 millis" })
      const upstream = yield* FakeUpstream.client(again)
      const client = upstream.client.pipe(ClientStack.make({ ...options, redirects: 10, strategy: "none" }))
      const { exit, millis } = yield* timed(Effect.flip(client.get("/a")))
      assert.isTrue(exit._tag === "Success" && isOutOfTime(exit.value))
      assert.strictEqual(millis, 500)
      const told = (yield* upstream.requests).map((request) => Number(request.headers["x-request-timeout"]))
      assert.deepStrictEqual(told, [0.499, 0.299, 0.099])
    }))

  it.effect("a wait in the bulkhead's queue and for the rate limit", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(FakeUpstream.never)
      const bulkhead = yield* Bulkhead.make({ name: "calls", permits: 1, queue: 5 })
      const busy = yield* Effect.forkChild(bulkhead.run(Effect.never))
      yield* TestClock.adjust(1)
      const queued = upstream.client.pipe(ClientStack.make({ ...options, bulkhead }))
      assert.isAtMost((yield* timed(queued.get("/a"))).millis, 500)
      yield* Fiber.interrupt(busy)

      const limiter = yield* RateLimiter.make
      yield* limiter.consume({ key: url, limit: 1, window: "1 minute", algorithm: "token-bucket" })
      const rateLimit = { limiter, limit: 1, window: "1 minute", algorithm: "token-bucket" } as const
      const limited = upstream.client.pipe(ClientStack.make({ ...options, rateLimit }))
      assert.isAtMost((yield* timed(limited.get("/a"))).millis, 500)
      assert.lengthOf(yield* upstream.requests, 0)
    }).pipe(Effect.provide(RateLimiter.layerStoreMemory)))

  const readings: Readonly<
    Record<string, (response: HttpClientResponse.HttpClientResponse) => Effect.Effect<unknown, unknown>>
  > = {
    text: (response) => response.text,
    json: (response) => response.json,
    arrayBuffer: (response) => response.arrayBuffer,
    urlParamsBody: (response) => response.urlParamsBody,
    formData: (response) => response.formData,
    stream: (response) => Stream.runDrain(response.stream)
  }
  for (const [name, read] of Object.entries(readings)) {
    it.effect(`a body that trickles, read as ${name}`, () =>
      Effect.gen(function*() {
        const upstream = yield* FakeUpstream.client(trickling)
        const client = upstream.client.pipe(ClientStack.make(options))
        const { exit, millis } = yield* timed(Effect.flip(Effect.flatMap(client.get("/a"), read)))
        assert.isTrue(exit._tag === "Success" && isOutOfTime(exit.value), JSON.stringify(exit))
        assert.strictEqual(millis, 500)
        assert.deepStrictEqual((yield* upstream.requests).map((request) => request.outcome), ["aborted"])
      }))
  }

  it.effect("a body that is read outside of the deadline it was asked for in, and one that is read too late", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(trickling)
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: url }))
      const response = yield* client.get("/a").pipe(Deadline.within("500 millis"))
      const { exit, millis } = yield* timed(Effect.flip(response.text))
      assert.isTrue(exit._tag === "Success" && isOutOfTime(exit.value))
      assert.strictEqual(millis, 500)
      const late = yield* client.get("/b").pipe(Deadline.within("500 millis"))
      yield* TestClock.adjust("1 second")
      assert.isTrue(isOutOfTime(yield* Effect.flip(Stream.runDrain(late.stream))))
      assert.isTrue(isOutOfTime(yield* Effect.flip(late.text)))
      assert.deepStrictEqual((yield* upstream.requests).map((request) => request.outcome), ["aborted", "aborted"])
    }))

  it.effect("a body that is part of its attempt", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(trickling)
      const client = upstream.client.pipe(ClientStack.make({ ...options, buffer: true }))
      const { exit, millis } = yield* timed(Effect.flip(client.get("/a")))
      assert.isTrue(exit._tag === "Success" && isOutOfTime(exit.value))
      assert.strictEqual(millis, 500)
    }))

  it.effect("a body that comes in time is whole", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(FakeUpstream.trickle({ body: "whole", every: "90 millis" }))
      const client = upstream.client.pipe(ClientStack.make(options))
      const { exit } = yield* timed(Effect.flatMap(client.get("/a"), (response) => response.text))
      assert.strictEqual(exit._tag === "Success" && exit.value, "whole")
    }))

  const transports = {
    fetch: FetchHttpClient.layer,
    node: NodeHttpClient.layerNodeHttp,
    undici: NodeHttpClient.layerUndici
  }
  for (const [name, layer] of Object.entries(transports)) {
    it.live(`on a real socket with ${name}: a body that trickles, and a connection that is never made`, () =>
      Effect.gen(function*() {
        const transport = yield* HttpClient.HttpClient
        const upstream = yield* FakeUpstream.make(FakeUpstream.trickle({ body: "x".repeat(1000), every: "20 millis" }))
        const took = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.timed(Effect.flip(self))
        const client = transport.pipe(ClientStack.make({ ...options, baseUrl: upstream.url }))
        const [body, error] = yield* took(Effect.flatMap(client.get("/a"), (response) => response.text))
        assert.isTrue(isOutOfTime(error))
        assertAboutHalfASecond(body)
        yield* upstream.when(([first]) => first?.outcome === "aborted")

        // A host that takes connections and never says a word of TLS.
        const port = yield* silent
        const deaf = transport.pipe(ClientStack.make({ ...options, baseUrl: `https://127.0.0.1:${port}` }))
        const [connect, refused] = yield* took(deaf.get("/a"))
        assert.isTrue(isOutOfTime(refused))
        assertAboutHalfASecond(connect)
      }).pipe(Effect.provide(layer)))
  }
})

const assertAboutHalfASecond = (duration: Duration.Duration) => {
  const millis = Duration.toMillis(duration)
  assert.isAtLeast(millis, 490)
  assert.isBelow(millis, 750)
}

const silent = Effect.acquireRelease(
  Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
    const sockets = new Set<{ destroy: () => void }>()
    const server = createServer((socket) => {
      sockets.add(socket.on("error", () => {}))
    })
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      const close = () => {
        for (const socket of sockets) socket.destroy()
        server.close()
      }
      resume(Effect.succeed({ port: typeof address === "object" && address !== null ? address.port : 0, close }))
    })
  }),
  ({ close }) => Effect.sync(close)
).pipe(Effect.map(({ port }) => port))
