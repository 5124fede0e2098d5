import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, Stream } from "effect"
import { FakeUpstream } from "effect-lifecycle/testing"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { TestClock } from "effect/testing"

describe("FakeUpstream.make", () => {
  const transports = {
    fetch: FetchHttpClient.layer,
    node: NodeHttpClient.layerNodeHttp,
    undici: NodeHttpClient.layerUndici
  }
  for (const [name, layer] of Object.entries(transports)) {
    describe(name, () => {
      it.live("answers in the order of its script, and the last answer stays", () =>
        Effect.gen(function*() {
          const upstream = yield* FakeUpstream.make([
            FakeUpstream.respond({ status: 503 }),
            FakeUpstream.json({ ok: 1 })
          ])
          const statuses = yield* Effect.forEach(
            [1, 2, 3],
            () => Effect.tap(HttpClient.get(`${upstream.url}/a?b=c`), (response) => response.text)
          )
          assert.deepStrictEqual(statuses.map((response) => response.status), [503, 200, 200])
          const log = yield* upstream.requests
          assert.deepStrictEqual(
            log.map(({ method, number, path, url }) => ({ method, number, path, url })),
            [1, 2, 3].map(
              (number) => ({ method: "GET", number, path: "/a", url: "/a?b=c" })
            )
          )
        }).pipe(Effect.provide(layer)))

      it.live("keeps headers and body of what it received", () =>
        Effect.gen(function*() {
          const upstream = yield* FakeUpstream.make(FakeUpstream.respond({ status: 201, headers: { "x-seen": "yes" } }))
          const response = yield* HttpClientRequest.post(`${upstream.url}/orders`, { headers: { "x-who": "me" } }).pipe(
            HttpClientRequest.bodyText("three cups"),
            HttpClient.execute
          )
          assert.strictEqual(response.headers["x-seen"], "yes")
          const [received] = yield* upstream.when(([first]) => first?.outcome === "answered")
          assert.strictEqual(received?.body, "three cups")
          assert.strictEqual(received?.headers["x-who"], "me")
        }).pipe(Effect.provide(layer)))

      it.live("resets before the answer, and closes without one", () =>
        Effect.gen(function*() {
          const upstream = yield* FakeUpstream.make({ "/reset": FakeUpstream.reset(), "/close": FakeUpstream.close() })
          for (const path of ["/reset", "/close"]) {
            const error = yield* Effect.flip(HttpClient.get(upstream.url + path))
            assert.strictEqual(error.reason._tag, "TransportError")
          }
          assert.deepStrictEqual((yield* upstream.requests).map((request) => request.outcome), ["broken", "broken"])
        }).pipe(Effect.provide(layer)))

      it.live("sends half of a body and resets", () =>
        Effect.gen(function*() {
          const upstream = yield* FakeUpstream.make(FakeUpstream.half({ body: "0123456789" }))
          const response = yield* HttpClient.get(upstream.url)
          assert.strictEqual(response.headers["content-length"], "10")
          assert.isTrue(Exit.isFailure(yield* Effect.exit(response.text)))
        }).pipe(Effect.provide(layer)))

      it.live("learns that a client went away", () =>
        Effect.gen(function*() {
          const upstream = yield* FakeUpstream.make(FakeUpstream.never)
          const fiber = yield* Effect.forkChild(HttpClient.get(upstream.url))
          yield* upstream.when((requests) => requests.length === 1)
          yield* Fiber.interrupt(fiber)
          yield* upstream.when(([request]) => request?.outcome === "aborted")
        }).pipe(Effect.provide(layer)))

      it.live("lets a body trickle", () =>
        Effect.gen(function*() {
          const upstream = yield* FakeUpstream.make(FakeUpstream.trickle({ body: "abc", every: "10 millis" }))
          const response = yield* HttpClient.get(upstream.url)
          const parts = yield* Stream.runCollect(Stream.decodeText(response.stream))
          assert.strictEqual(parts.join(""), "abc")
          assert.isAtLeast(parts.length, 2)
        }).pipe(Effect.provide(layer)))
    })
  }

  it.live("picks by method and path, each with its own count, and answers 404 to the rest", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.make({
        "POST /a": FakeUpstream.respond({ status: 201 }),
        "/a": [FakeUpstream.respond({ status: 200 }), FakeUpstream.respond({ status: 304 })],
        "/b": FakeUpstream.respond({ status: 202 })
      })
      const status = (request: HttpClientRequest.HttpClientRequest) =>
        Effect.map(HttpClient.execute(request), (response) => response.status)
      const get = (path: string) => status(HttpClientRequest.get(upstream.url + path))
      assert.deepStrictEqual(
        [yield* get("/a"), yield* get("/b"), yield* get("/a"), yield* get("/c")],
        [200, 202, 304, 404]
      )
      assert.strictEqual(yield* status(HttpClientRequest.post(`${upstream.url}/a`)), 201)
      yield* upstream.rescript((request) => FakeUpstream.respond({ status: request.number === 6 ? 418 : 200 }))
      assert.strictEqual(yield* get("/a"), 418)
    }).pipe(Effect.provide(FetchHttpClient.layer)))

  it.live("is gone when its scope closes, hanging requests or not", () =>
    Effect.gen(function*() {
      const url = yield* Effect.scoped(Effect.gen(function*() {
        const upstream = yield* FakeUpstream.make(FakeUpstream.never)
        yield* Effect.forkDetach(Effect.exit(HttpClient.get(upstream.url)))
        yield* upstream.when((requests) => requests.length === 1)
        return upstream.url
      }))
      assert.strictEqual((yield* Effect.flip(HttpClient.get(url))).reason._tag, "TransportError")
    }).pipe(Effect.provide(FetchHttpClient.layer)))
})

describe("FakeUpstream.client", () => {
  it.effect("waits on the clock of its caller", () =>
    Effect.gen(function*() {
      const { client, requests } = yield* FakeUpstream.client(FakeUpstream.json({ a: 1 }, { latency: "3 seconds" }))
      const fiber = yield* Effect.forkChild(
        Effect.flatMap(client.get("http://up/x"), (response) => Effect.zip(response.json, Clock.currentTimeMillis))
      )
      yield* TestClock.adjust("2999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* Fiber.join(fiber), [{ a: 1 }, 3000])
      assert.strictEqual((yield* requests)[0]?.outcome, "answered")
    }))

  it.effect("trickles on the clock, as a stream and as a whole", () =>
    Effect.gen(function*() {
      const { client } = yield* FakeUpstream.client(FakeUpstream.trickle({ body: "abcd", bytes: 2, every: "1 second" }))
      const response = yield* client.get("http://up/x")
      const fiber = yield* Effect.forkChild(Effect.zip(response.text, Clock.currentTimeMillis))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* Fiber.join(fiber), ["abcd", 2000])
    }))

  it.effect("breaks as its script says", () =>
    Effect.gen(function*() {
      const { client, requests } = yield* FakeUpstream.client([
        FakeUpstream.reset(),
        FakeUpstream.close(),
        FakeUpstream.half({ body: "0123456789", bytes: 3 })
      ])
      assert.strictEqual((yield* Effect.flip(client.get("http://up/1"))).reason._tag, "TransportError")
      assert.strictEqual((yield* Effect.flip(client.get("http://up/2"))).reason._tag, "TransportError")
      const response = yield* client.get("http://up/3")
      const got: Array<string> = []
      const exit = yield* Effect.exit(
        Stream.runForEach(Stream.decodeText(response.stream), (part) => Effect.sync(() => got.push(part)))
      )
      assert.isTrue(Exit.isFailure(exit))
      assert.strictEqual(got.join(""), "012")
      assert.deepStrictEqual((yield* requests).map((request) => request.outcome), ["broken", "broken", "broken"])
    }))

  it.effect("notes a caller that was interrupted, before the answer or within its body", () =>
    Effect.gen(function*() {
      const { client, requests } = yield* FakeUpstream.client([
        FakeUpstream.never,
        FakeUpstream.trickle({ every: "1 second" })
      ])
      const one = yield* Effect.forkChild(client.get("http://up/1"))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(one)
      const two = yield* Effect.forkChild(Effect.flatMap(client.get("http://up/2"), (response) => response.text))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(two)
      assert.deepStrictEqual((yield* requests).map((request) => request.outcome), ["aborted", "aborted"])
    }))
})
