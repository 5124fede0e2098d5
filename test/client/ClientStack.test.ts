import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Fiber, Option, Stream } from "effect"
import { ClientStack, IdempotencyKey } from "effect-lifecycle/client"
import { Deadline, Priority, Propagation, RequestId } from "effect-lifecycle/request"
import { InvalidOption, RequestStrategy, RetrySchedule } from "effect-lifecycle/resilience"
import { FakeUpstream } from "effect-lifecycle/testing"
import { HttpClient, HttpClientRequest } from "effect/http"
import { TestClock } from "effect/testing"
import { inVirtualTime } from "./virtual.ts"

const url = "http://up.test"
const unavailable = FakeUpstream.respond({ status: 503 })
const ok = FakeUpstream.respond({ status: 200, body: "fine" })
const exactly = (attempts: number) =>
  RequestStrategy.sequential({ attempts, delay: "100 millis", jitter: RetrySchedule.none })

describe("ClientStack requests", () => {
  it.effect("repeats what is safe, and sends a POST without a key once", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(unavailable)
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: url }))
      const count = (call: Effect.Effect<unknown, unknown>) =>
        Effect.gen(function*() {
          const before = (yield* upstream.requests).length
          yield* inVirtualTime(call)
          return (yield* upstream.requests).length - before
        })
      assert.strictEqual(yield* count(client.get("/a")), 3)
      assert.strictEqual(yield* count(client.head("/a")), 3)
      assert.strictEqual(yield* count(client.put("/a")), 3)
      assert.strictEqual(yield* count(client.post("/a")), 1)
      assert.strictEqual(yield* count(client.patch("/a")), 1)
    }))

  it.effect("repeats a POST with a key, the same key each time, wherever the key comes from", () =>
    Effect.gen(function*() {
      const sent = (
        options: ClientStack.Options,
        call: (client: { readonly post: HttpClient.HttpClient["post"] }) => Effect.Effect<unknown, unknown>
      ) =>
        Effect.gen(function*() {
          const upstream = yield* FakeUpstream.client(unavailable)
          const stack = upstream.client.pipe(ClientStack.httpClient({ baseUrl: url, ...options }))
          yield* inVirtualTime(call(stack))
          return (yield* upstream.requests).map((request) => request.headers["idempotency-key"])
        })
      const given = yield* sent({}, (client) => client.post("/a").pipe(IdempotencyKey.provide("order-1")))
      assert.deepStrictEqual(given, ["order-1", "order-1", "order-1"])
      const header = yield* sent({}, (client) => client.post("/a", { headers: { "idempotency-key": "own" } }))
      assert.deepStrictEqual(header, ["own", "own", "own"])
      const generated = yield* sent({ idempotencyKey: "generate" }, (client) => client.post("/a"))
      assert.lengthOf(generated, 3)
      assert.strictEqual(new Set(generated).size, 1)
      assert.isDefined(generated[0])
    }))

  it.effect("sends no key with a GET", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(ok)
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: url }))
      yield* client.get("/a").pipe(IdempotencyKey.provide("order-1"))
      assert.notProperty((yield* upstream.requests)[0]?.headers, "idempotency-key")
    }))

  it.effect("sends a body that is a stream once: it cannot be read twice", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(unavailable)
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: url }))
      const put = HttpClientRequest.put("/a").pipe(
        HttpClientRequest.bodyStream(Stream.make(new TextEncoder().encode("once")))
      )
      yield* inVirtualTime(client.execute(put))
      assert.deepStrictEqual((yield* upstream.requests).map((request) => request.body), ["once"])
    }))

  it.effect("tells each attempt what is left, which attempt it is, and who asks", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client([unavailable, ok])
      const client = upstream.client.pipe(
        ClientStack.make({ baseUrl: url, timeout: "2 seconds", serviceName: "orders", strategy: exactly(3) })
      )
      const extracted = yield* Propagation.extract(
        { "x-request-priority": "low", "x-request-id": "id-1" },
        { trusted: true }
      )
      yield* inVirtualTime(client.get("/a").pipe(Propagation.run(extracted)))
      const [one, two] = (yield* upstream.requests).map((request) => request.headers)
      assert.strictEqual(one?.["x-request-timeout"], "1.999")
      // 5 ms are kept back to return the 503, should the second attempt not come back.
      assert.strictEqual(two?.["x-request-timeout"], "1.895")
      assert.strictEqual(one?.["x-request-attempt"], "1;kind=primary;elapsed=0.000")
      assert.strictEqual(two?.["x-request-attempt"], "2;kind=retry;elapsed=0.100")
      for (const headers of [one, two]) {
        assert.strictEqual(headers?.["x-request-priority"], "low")
        assert.strictEqual(headers?.["x-request-id"], "id-1")
        assert.strictEqual(headers?.["x-service-name"], "orders")
      }
    }))

  it.effect("sends none of it when told so", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(ok)
      yield* upstream.client.pipe(ClientStack.make({ headers: false })).get(`${url}/a`)
      const names = Object.keys((yield* upstream.requests)[0]?.headers ?? {})
      assert.deepStrictEqual(names.filter((name) => name.startsWith("x-")), [])
    }))

  it.effect("lets strategy, deadline and priority of one call win over its own", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(unavailable)
      const client = upstream.client.pipe(
        ClientStack.make({ baseUrl: url, timeout: "1 second", strategy: "none", priority: "low" })
      )
      yield* inVirtualTime(client.get("/own"))
      yield* inVirtualTime(
        client.get("/call").pipe(
          RequestStrategy.withStrategy(exactly(2)),
          Deadline.within("1 minute"),
          Priority.withPriority("critical", { trusted: true })
        )
      )
      const seen = (yield* upstream.requests).map(({ headers, path }) => [
        path,
        headers["x-request-priority"],
        headers["x-request-timeout"]
      ])
      assert.deepStrictEqual(seen, [
        ["/own", "low", "0.999"],
        ["/call", "critical", "59.999"],
        ["/call", "critical", "59.895"]
      ])
    }))

  it.effect("never takes more than a caller who is waiting has left", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(ok)
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: url, timeout: "10 seconds" }))
      for (const [left, told] of [["3", "2.999"], ["30", "9.999"]] as const) {
        const extracted = yield* Propagation.extract({ "x-request-timeout": left })
        yield* client.get("/a").pipe(Propagation.run(extracted))
        assert.strictEqual((yield* upstream.requests).at(-1)?.headers["x-request-timeout"], told)
      }
    }))

  it.effect("asks another endpoint for each attempt, and refuses to be led elsewhere", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client([unavailable, ok])
      const client = upstream.client.pipe(ClientStack.make({
        baseUrl: (attempt) => Effect.succeed(`http://replica-${attempt.number}.test/v1/`),
        strategy: exactly(2)
      }))
      yield* inVirtualTime(client.get("/a?b=c"))
      const seen = (yield* upstream.requests).map((request) => request.headers["host"] + request.url)
      assert.deepStrictEqual(seen, ["replica-1.test/v1/a?b=c", "replica-2.test/v1/a?b=c"])
      const led = yield* Effect.flip(client.get("http://elsewhere.test/a"))
      assert.strictEqual(led._tag === "HttpClientError" && led.reason._tag, "InvalidUrlError")
      assert.lengthOf(yield* upstream.requests, 2)
    }))

  it.effect("maps requests of the client inside for each attempt, and those of the stack once", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client([unavailable, ok])
      const counts = { inside: 0, outside: 0 }
      const counted = (name: keyof typeof counts) =>
        HttpClient.mapRequest((request: HttpClientRequest.HttpClientRequest) => {
          counts[name]++
          return HttpClientRequest.setHeader(
            request,
            `x-${name}`,
            request.headers["x-request-attempt"] ?? "before"
          )
        })
      const client = upstream.client.pipe(
        counted("inside"),
        ClientStack.make({ baseUrl: url, strategy: exactly(2) }),
        counted("outside")
      )
      yield* inVirtualTime(client.get("/a"))
      assert.deepStrictEqual(counts, { inside: 2, outside: 1 })
      const last = (yield* upstream.requests).at(-1)?.headers
      assert.strictEqual(last?.["x-outside"], "before")
      assert.match(last?.["x-inside"] ?? "", /^2;kind=retry/)
    }))

  it.effect("follows redirects within one attempt, without the credentials of another host", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client({
        "/a": FakeUpstream.respond({ status: 302, headers: { location: "http://other.test/b" }, latency: "1 second" }),
        "/b": ok
      })
      const client = upstream.client.pipe(
        ClientStack.make({ baseUrl: url, redirects: 3, timeout: "5 seconds", serviceName: "orders" })
      )
      const response = yield* inVirtualTime(client.get("/a", { headers: { authorization: "secret" } }))
      assert.strictEqual(response.status, 200)
      const [first, second] = (yield* upstream.requests).map((request) => request.headers)
      assert.strictEqual(first?.["authorization"], "secret")
      assert.notProperty(second, "authorization")
      assert.strictEqual(second?.["x-request-timeout"], "3.999")
      assert.strictEqual(second?.["x-request-attempt"], "1;kind=primary;elapsed=0.000")
    }))

  it.effect("retries a body that breaks when reading it is part of the attempt", () =>
    Effect.gen(function*() {
      const script = [FakeUpstream.half({ body: "0123456789" }), FakeUpstream.respond({ body: "whole" })]
      const streamed = yield* FakeUpstream.client(script)
      const plain = streamed.client.pipe(ClientStack.make({ baseUrl: url }))
      const broken = yield* Effect.exit(Effect.flatMap(plain.get("/a"), (response) => response.text))
      assert.isTrue(Exit.isFailure(broken))

      const upstream = yield* FakeUpstream.client(script)
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: url, buffer: true }))
      const response = yield* inVirtualTime(client.get("/a"))
      assert.strictEqual(yield* response.text, "whole")
      assert.strictEqual(yield* Stream.mkString(Stream.decodeText(response.stream)), "whole")
      assert.strictEqual((yield* response.arrayBuffer).byteLength, 5)
    }))

  it.effect("does not send what cannot be answered in time", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(ok)
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: url }))
      const error = yield* Effect.flip(client.get("/a").pipe(Deadline.within("4 millis")))
      assert.strictEqual(error._tag, "DeadlineExceeded")
      assert.lengthOf(yield* upstream.requests, 0)
      assert.strictEqual((yield* client.get("/a").pipe(Deadline.within("6 millis"))).status, 200)
    }))

  it.effect("hands over a plain HttpClient whose failures can be told apart", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(FakeUpstream.never)
      const program = Effect.gen(function*() {
        const client = yield* HttpClient.HttpClient
        const error = yield* Effect.flip(inVirtualTime(client.get("/a")))
        return { error, at: yield* Clock.currentTimeMillis }
      })
      const { at, error } = yield* program.pipe(
        Effect.provide(ClientStack.layer({ baseUrl: url, timeout: "1 second" })),
        Effect.provideService(HttpClient.HttpClient, upstream.client)
      )
      assert.strictEqual(at, 1000)
      assert.strictEqual(error.reason._tag, "TransportError")
      const refusal = Option.getOrThrow(ClientStack.refusalOf(error))
      assert.strictEqual(refusal._tag, "DeadlineExceeded")
      assert.isTrue(Option.isNone(ClientStack.refusalOf(new Error("something else"))))
    }))

  it.effect("has no deadline of its own when told so", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(FakeUpstream.respond({ latency: "1 hour" }))
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: url, timeout: "none" }))
      const fiber = yield* Effect.forkChild(client.get("/a"))
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* Fiber.join(fiber)).status, 200)
      assert.notProperty((yield* upstream.requests)[0]?.headers, "x-request-timeout")
    }))

  it.effect("keeps the request id of the caller over its own attempts", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client([unavailable, ok])
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: url }))
      const id = yield* RequestId.generate
      yield* inVirtualTime(client.get("/a").pipe(RequestId.provide(id)))
      assert.deepStrictEqual((yield* upstream.requests).map((request) => request.headers["x-request-id"]), [id, id])
    }))
})

describe("ClientStack options", () => {
  it("refuses what makes no sense, and says what is allowed", () => {
    const wrong: ReadonlyArray<readonly [string, ClientStack.Options]> = [
      ["timeout", { timeout: Duration.infinity }],
      ["timeout", { timeout: -1 }],
      ["lowTime", { lowTime: "NaN seconds" as Duration.Input }],
      ["attemptTimeout", { attemptTimeout: Duration.infinity }],
      ["redirects", { redirects: -1 }],
      ["redirects", { redirects: 1.5 }],
      ["baseUrl", { baseUrl: "/relative" }],
      ["baseUrl", { baseUrl: "ftp://files.test" }],
      ["baseUrl", { baseUrl: "http://up.test/?a=b" }]
    ]
    for (const [option, options] of wrong) {
      try {
        ClientStack.make(options)
        assert.fail(`${option} was taken: ${JSON.stringify(options)}`)
      } catch (error) {
        assert.instanceOf(error, InvalidOption.InvalidOption)
        assert.strictEqual(error.option, option)
        assert.match(error.message, /must be/)
      }
    }
  })

  it("fills in paths so that no value can leave its segment", () => {
    assert.strictEqual(ClientStack.expand("/a/{x}/b/{y}", { x: "?q=/é", y: 7 }), "/a/%3Fq%3D%2F%C3%A9/b/7")
    assert.throws(() => ClientStack.expand("/a/{x}", {}), /x must be a text or a finite number, got undefined/)
    assert.throws(() => ClientStack.expand("/a/{x}/b", { x: ".." }), InvalidOption.InvalidOption)
  })
})
