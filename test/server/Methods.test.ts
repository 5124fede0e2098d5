import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { ServerStack } from "effect-lifecycle/server"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { listener, tokens } from "./harness.ts"
import { raw, type RawAnswer } from "./raw.ts"

const text = "x".repeat(3_000)
const routes = Layer.mergeAll(
  HttpRouter.add("GET", "/docs/text", HttpServerResponse.text(text, { headers: { etag: "\"1\"" } })),
  HttpRouter.add(
    "GET",
    "/docs/stream",
    HttpServerResponse.stream(Stream.make("a", "b").pipe(Stream.encodeText), { contentType: "text/plain" })
  ),
  HttpRouter.add("OPTIONS", "/docs/own", HttpServerResponse.text("own options")),
  HttpRouter.add("GET", "/docs/own", HttpServerResponse.empty()),
  HttpRouter.add("*", "/docs/any", HttpServerResponse.text("any")),
  HttpRouter.add("PUT", "/items/:id", HttpServerResponse.empty())
)
const live = ServerStack.serve(routes, { service: "x", metrics: false }).pipe(
  Layer.provide(tokens),
  Layer.provideMerge(listener)
)
const send = (method: string, target: string) => raw([`${method} ${target} HTTP/1.1`, "host: x"])

/** Without what differs from answer to answer, and without how the body that HEAD has not is framed. */
const lasting = ({ headers }: RawAnswer) => {
  const { date: _date, "server-timing": _timing, "transfer-encoding": _framing, "x-request-id": _id, ...rest } = headers
  return rest
}

describe("Methods", () => {
  layer(live, { excludeTestServices: true })((it) => {
    it.effect("answers HEAD where there is GET: the same headers, the length of the body, and no body", () =>
      Effect.gen(function*() {
        for (const path of ["/docs/text", "/docs/stream", "/health/live"]) {
          const get = yield* send("GET", path)
          const head = yield* send("HEAD", path)
          assert.strictEqual(head.status, get.status, path)
          assert.strictEqual(head.body.length, 0, path)
          assert.deepStrictEqual(lasting(head), lasting(get), path)
        }
        assert.strictEqual((yield* send("HEAD", "/docs/text")).headers["content-length"], "3000")
      }))

    it.effect("answers HEAD with the status and the headers a GET would fail with, and no body", () =>
      Effect.gen(function*() {
        const get = yield* send("GET", "/nowhere")
        const head = yield* send("HEAD", "/nowhere")
        assert.deepStrictEqual([head.status, head.body.length], [404, 0])
        assert.strictEqual(head.headers["content-type"], "application/problem+json")
        assert.strictEqual(head.headers["content-length"], get.headers["content-length"])
        assert.strictEqual((yield* send("HEAD", "/items/1")).status, 405)
      }))

    it.effect("answers OPTIONS with 204 and Allow, for a path and for the whole server", () =>
      Effect.gen(function*() {
        const path = yield* send("OPTIONS", "/items/7?a=b")
        assert.deepStrictEqual([path.status, path.headers["allow"], path.body.length], [204, "PUT, OPTIONS", 0])
        assert.isUndefined(path.headers["content-length"])
        const server = yield* send("OPTIONS", "*")
        assert.deepStrictEqual(
          [server.status, server.headers["allow"]],
          [204, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, QUERY"]
        )
        const own = yield* send("OPTIONS", "/docs/own")
        assert.deepStrictEqual([own.status, own.body.toString()], [200, "own options"])
        assert.strictEqual((yield* send("OPTIONS", "/nowhere")).status, 404)
      }))

    it.effect("answers 405 with Allow where the path has other methods, and 501 where no path could have it", () =>
      Effect.gen(function*() {
        const wrong = yield* send("DELETE", "/items/7")
        assert.deepStrictEqual([wrong.status, wrong.headers["allow"]], [405, "PUT, OPTIONS"])
        for (const method of ["PROPFIND", "M-SEARCH", "LINK"]) {
          for (const path of ["/items/7", "/nowhere"]) {
            const unknown = yield* send(method, path)
            assert.deepStrictEqual([unknown.status, unknown.problem["stage"]], [501, "Router"], `${method} ${path}`)
          }
        }
        assert.deepStrictEqual((yield* send("TRACE", "/items/7")).status, 405)
      }))
  })

  it.live("lists for the whole server only the methods it has", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* send("OPTIONS", "*")).headers["allow"], "GET, HEAD, PUT, OPTIONS")
    }).pipe(Effect.provide(
      ServerStack.serve(HttpRouter.add("PUT", "/items/:id", HttpServerResponse.empty()), {
        service: "x",
        metrics: false
      }).pipe(Layer.provide(tokens), Layer.provideMerge(listener))
    )))
})
