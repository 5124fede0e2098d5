import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { ClientStack } from "effect-lifecycle/client"
import { RequestStrategy } from "effect-lifecycle/resilience"
import { FakeUpstream } from "effect-lifecycle/testing"
import { FetchHttpClient, HttpClient } from "effect/http"

const transports = {
  fetch: FetchHttpClient.layer,
  node: NodeHttpClient.layerNodeHttp,
  undici: NodeHttpClient.layerUndici
}

for (const [name, layer] of Object.entries(transports)) {
  describe(`ClientStack over ${name}`, () => {
    it.live("aborts the loser of a hedge on the wire", () =>
      Effect.gen(function*() {
        const upstream = yield* FakeUpstream.make([FakeUpstream.never, FakeUpstream.json({ won: true })])
        const client = (yield* HttpClient.HttpClient).pipe(ClientStack.make({
          baseUrl: upstream.url,
          strategy: RequestStrategy.hedged({ attempts: 2, delay: "20 millis" })
        }))
        const response = yield* client.get("/a")
        assert.deepStrictEqual(yield* response.json, { won: true })
        const requests = yield* upstream.when((requests) => requests.every((request) => request.outcome !== "open"))
        assert.deepStrictEqual(requests.map((request) => request.outcome), ["aborted", "answered"])
        assert.deepStrictEqual(requests.map((request) => request.headers["x-request-attempt"]?.split(";")[1]), [
          "kind=primary",
          "kind=hedge"
        ])
      }).pipe(Effect.provide(layer)))

    it.live("lets go of a rejected response whose body never ends", () =>
      Effect.gen(function*() {
        const upstream = yield* FakeUpstream.make([
          FakeUpstream.trickle({ status: 503, body: "x".repeat(1000), every: "50 millis" }),
          FakeUpstream.json({ ok: true })
        ])
        const client = (yield* HttpClient.HttpClient).pipe(ClientStack.make({ baseUrl: upstream.url }))
        assert.strictEqual((yield* client.get("/a")).status, 200)
        yield* upstream.when(([first]) => first?.outcome === "aborted")
      }).pipe(Effect.provide(layer)))

    it.live("gives each attempt a scope of its own where the client given asks for one", () =>
      Effect.gen(function*() {
        const upstream = yield* FakeUpstream.make([FakeUpstream.never, FakeUpstream.json({ won: true })])
        const client = (yield* HttpClient.HttpClient).pipe(
          HttpClient.withScope,
          ClientStack.make({
            baseUrl: upstream.url,
            strategy: RequestStrategy.hedged({ attempts: 2, delay: "20 millis" })
          })
        )
        const [loser] = yield* Effect.scoped(Effect.gen(function*() {
          const response = yield* client.get("/a")
          assert.deepStrictEqual(yield* response.json, { won: true })
          return yield* upstream.when(([first]) => first?.outcome === "aborted")
        }))
        assert.strictEqual(loser?.outcome, "aborted")
      }).pipe(Effect.provide(layer)))

    it.live("retries half an answer when reading it is part of the attempt", () =>
      Effect.gen(function*() {
        const upstream = yield* FakeUpstream.make([
          FakeUpstream.half({ body: "0123456789" }),
          FakeUpstream.json({ ok: 1 })
        ])
        const client = (yield* HttpClient.HttpClient).pipe(ClientStack.make({ baseUrl: upstream.url, buffer: true }))
        const response = yield* client.get("/a")
        assert.deepStrictEqual(yield* response.json, { ok: 1 })
        assert.lengthOf(yield* upstream.requests, 2)
      }).pipe(Effect.provide(layer)))

    it.live("aborts the request when its caller is interrupted, before the answer and within its body", () =>
      Effect.gen(function*() {
        const upstream = yield* FakeUpstream.make([
          FakeUpstream.never,
          FakeUpstream.trickle({ body: "x".repeat(1000), every: "20 millis" })
        ])
        const client = (yield* HttpClient.HttpClient).pipe(ClientStack.make({ baseUrl: upstream.url }))
        const one = yield* Effect.forkChild(client.get("/a"))
        yield* upstream.when((requests) => requests.length === 1)
        yield* Fiber.interrupt(one)
        const response = yield* client.get("/b")
        const two = yield* Effect.forkChild(response.text)
        yield* Effect.sleep("50 millis")
        yield* Fiber.interrupt(two)
        yield* upstream.when((requests) => requests.filter((request) => request.outcome === "aborted").length === 2)
      }).pipe(Effect.provide(layer)))
  })
}
