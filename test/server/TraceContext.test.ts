import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Layer, Option, Tracer } from "effect"
import { ServerStack, TraceContext, type TrustedHops, TrustedHosts } from "effect-lifecycle/server"
import { HttpMiddleware, HttpRouter, HttpServerResponse } from "effect/http"
import { inspect } from "node:util"
import { ask, bearer, listener, tokens } from "./harness.ts"
import { raw } from "./raw.ts"

const parent = "0af7651916cd43dd8448eb211c80319c"
const traceparent = `00-${parent}-b7ad6b7169203331-01`

const app = (trust: TrustedHops.Trust, around: Layer.Layer<never> = Layer.empty) => {
  const spans: Array<Tracer.Span> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  const routes = Layer.mergeAll(
    HttpRouter.add("GET", "/users/:id", HttpServerResponse.text("ok")),
    HttpRouter.add("GET", "/away", HttpServerResponse.empty({ status: 503 })),
    HttpRouter.add("GET", "/defect", Effect.die(new Error("boom"))),
    HttpRouter.add(
      "GET",
      "/inside",
      Effect.withSpan(Effect.succeed(HttpServerResponse.empty()), "inside", {
        kind: "client",
        attributes: { "url.query": "chosen" }
      })
    ),
    HttpRouter.add("PUT", "/files/*", HttpServerResponse.empty())
  )
  const live = ServerStack.serve(routes, {
    service: "x",
    traceContext: TraceContext.stage({ trust }),
    trustedHosts: TrustedHosts.stage({ hosts: ["127.0.0.1"] })
  }).pipe(
    Layer.provide([tokens, Layer.succeed(Tracer.Tracer, tracer), around]),
    Layer.provideMerge(listener)
  )
  return { live, spans }
}

describe("TraceContext", () => {
  it.live("joins the trace of a trusted hop, and names the route on the one span", () => {
    const { live, spans } = app("loopback")
    return Effect.gen(function*() {
      yield* ask("/users/1", { headers: { ...bearer, traceparent } })
      assert.strictEqual(spans.length, 1)
      assert.strictEqual(spans[0]?.traceId, parent)
      assert.strictEqual(spans[0]?.attributes.get("http.route"), "/users/:id")
    }).pipe(Effect.provide(live))
  })

  it.live("starts a trace of its own for a stranger, with one span all the same", () => {
    const { live, spans } = app("none")
    return Effect.gen(function*() {
      yield* ask("/users/1", { headers: { ...bearer, traceparent, b3: `${parent}-b7ad6b7169203331-1` } })
      assert.strictEqual(spans.length, 1)
      assert.notStrictEqual(spans[0]?.traceId, parent)
      assert.isTrue(Option.isNone(spans[0]!.parent))
      yield* ask("/users/1", { headers: bearer })
      assert.strictEqual(spans.length, 2)
    }).pipe(Effect.provide(live))
  })

  it.live("gives no request the span in which the server was built", () => {
    const { live, spans } = app("loopback")
    return Effect.gen(function*() {
      yield* ask("/users/1", { headers: { ...bearer, traceparent } })
      yield* ask("/users/1", { headers: bearer })
      assert.deepStrictEqual(spans.map(({ traceId }) => traceId === parent), [true, false])
      assert.isTrue(Option.isNone(spans[1]!.parent))
    }).pipe(
      Effect.provide(live),
      Effect.provideService(Tracer.ParentSpan, Tracer.externalSpan({ traceId: "f".repeat(32), spanId: "e".repeat(16) }))
    )
  })

  for (const trust of ["loopback", "none"] as const) {
    const traced = trust === "none" ? { traceparent } : {}

    it.live(`names spans by method and route, a stranger's too (trust: ${trust})`, () => {
      const { live, spans } = app(trust)
      const named = (method: string, path: string, headers: Record<string, string> = bearer) =>
        Effect.gen(function*() {
          spans.length = 0
          yield* ask(path, { method, headers: { ...headers, ...traced } })
          assert.strictEqual(spans.length, 1, path)
          return [spans[0]?.name, spans[0]?.attributes.get("http.route")]
        })
      return Effect.gen(function*() {
        assert.deepStrictEqual(yield* named("GET", "/users/1?a=/b"), ["GET /users/:id", "/users/:id"])
        assert.deepStrictEqual(yield* named("HEAD", "/users/1"), ["HEAD /users/:id", "/users/:id"])
        assert.deepStrictEqual(yield* named("PUT", "/files/a/b"), ["PUT /files/*", "/files/*"])
        assert.deepStrictEqual(yield* named("PUT", "/files"), ["PUT /files/*", "/files/*"])
        assert.deepStrictEqual(yield* named("GET", "/health/live"), ["GET /health/live", "/health/live"])
        // Refused by a stage, with and without the router.
        assert.deepStrictEqual(yield* named("GET", "/users/1", {}), ["GET /users/:id", "/users/:id"])
        spans.length = 0
        assert.strictEqual((yield* raw(["GET /users/1 HTTP/1.1", "host: evil"])).status, 400)
        assert.deepStrictEqual(spans.map(({ name }) => name), ["GET /users/:id"])
        assert.strictEqual(spans[0]?.attributes.get("http.route"), "/users/:id")
        // No route: nothing that a caller can choose gets into a name.
        assert.deepStrictEqual(yield* named("GET", "/nowhere/1"), ["GET", undefined])
        assert.deepStrictEqual(yield* named("DELETE", "/users/1"), ["DELETE", undefined])
      }).pipe(Effect.provide(live))
    })

    it.live(`gives no tracer a query, neither in an attribute nor in an error (trust: ${trust})`, () => {
      const { live, spans } = app(trust)
      return Effect.gen(function*() {
        const headers = { ...bearer, ...traced }
        for (const path of ["/users/1", "/nowhere", "/away", "/defect"]) {
          yield* ask(`${path}?token=canary-77`, { headers })
        }
        assert.strictEqual(
          (yield* raw(["GET http://127.0.0.1/users/1?token=canary-77 HTTP/1.1", "host: 127.0.0.1"])).status,
          401
        )
        assert.strictEqual(spans.length, 5)
        for (const span of spans) {
          assert.notInclude(inspect(span, { depth: Infinity, customInspect: false }), "canary-77", span.name)
          assert.isFalse(span.attributes.has("url.query"))
          assert.match(String(span.attributes.get("url.full")), /^http:\/\/127\.0\.0\.1[^?]*$/)
          assert.match(String(span.attributes.get("url.path")), /^\/\w+/)
        }
        // What an exporter says of a failed span is still there.
        const away = spans[2]?.status
        const [error] = away?._tag === "Ended" && away.exit._tag === "Failure"
          ? Cause.prettyErrors(away.exit.cause)
          : []
        assert.deepStrictEqual([error?.name, error?.message], ["HttpServerError", "ResponseError (503 GET /away)"])
      }).pipe(Effect.provide(live))
    })
  }

  it.live("leaves the handlers' own spans and a chosen name as they are", () => {
    const chosen = Layer.succeed(HttpMiddleware.SpanNameGenerator, ({ url }: { readonly url: string }) => `mine ${url}`)
    const { live, spans } = app("loopback", chosen)
    return Effect.gen(function*() {
      yield* ask("/inside", { headers: bearer })
      assert.deepStrictEqual(spans.map(({ name }) => name), ["mine /inside", "inside"])
      assert.strictEqual(spans[0]?.attributes.get("http.route"), "/inside")
      assert.strictEqual(spans[1]?.attributes.get("url.query"), "chosen")
    }).pipe(Effect.provide(live))
  })
})
