import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { InvalidOption } from "effect-lifecycle/resilience"
import { Cors, Problems, ServerStack } from "effect-lifecycle/server"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { ask, bearer, listener, problems, Routes, tokens } from "./harness.ts"

const own = HttpRouter.add("GET", "/docs/varied", HttpServerResponse.empty({ headers: { vary: "Accept-Language" } }))
const serve = (options: Cors.Options) =>
  ServerStack.serve(Layer.merge(Routes, own), {
    service: "users",
    cors: Cors.stage(options),
    problems: Problems.stage({ table: problems })
  }).pipe(Layer.provide(tokens), Layer.provideMerge(listener))

const app = "https://app.example.com"
const from = (origin: string, headers: Record<string, string> = {}) => ({ headers: { ...headers, origin } })
const preflight = (origin: string, method: string, headers: Record<string, string> = {}) => ({
  method: "OPTIONS",
  ...from(origin, { "access-control-request-method": method, ...headers })
})

describe("Cors", () => {
  it("refuses credentials for everybody, and what is no origin, when it is built", () => {
    // @ts-expect-error the type refuses it too
    assert.throws(() => Cors.stage({ origins: "*", credentials: true }), InvalidOption.InvalidOption, "credentials")
    for (
      const origins of [
        [],
        ["app.example.com"],
        ["https://app.example.com/"],
        ["https://app.example.com/path"],
        ["https://App.example.com"],
        ["https://app.example.com:443"],
        ["null"],
        ["*"],
        ["https://*."]
      ]
    ) assert.throws(() => Cors.stage({ origins }), InvalidOption.InvalidOption, "origins")
    assert.throws(() => Cors.stage({ origins: "*", maxAge: -1 }), InvalidOption.InvalidOption, "maxAge")
  })

  layer(serve({ origins: [app, "https://*.preview.example.com"], credentials: true, exposedHeaders: ["x-total"] }), {
    excludeTestServices: true
  })((it) => {
    it.effect("answers a preflight before authentication, with the methods the path has", () =>
      Effect.gen(function*() {
        const answer = yield* ask(
          "/users/u-1",
          preflight(app, "PATCH", { "access-control-request-headers": "if-match" })
        )
        assert.deepStrictEqual([answer.status, answer.text], [204, ""])
        assert.deepInclude(answer.headers, {
          "access-control-allow-origin": app,
          "access-control-allow-credentials": "true",
          "access-control-allow-methods": "GET, HEAD, PATCH, OPTIONS",
          "access-control-max-age": "600",
          vary: "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
        })
        const allowed = answer.headers["access-control-allow-headers"]?.split(", ") ?? []
        for (const name of ["authorization", "content-type", "if-match", "idempotency-key", "traceparent"]) {
          assert.include(allowed, name)
        }
        assert.isUndefined(answer.headers["allow"])
        assert.isDefined(answer.headers["x-request-id"])
      }))

    it.effect("lets the preflight of an unknown path pass, so that the page sees the 404", () =>
      Effect.gen(function*() {
        const answer = yield* ask("/nowhere", preflight(app, "DELETE"))
        assert.deepStrictEqual([answer.status, answer.headers["access-control-allow-methods"]], [204, "DELETE"])
        const forged = yield* ask("/nowhere", preflight(app, "DELETE, X\tY"))
        assert.deepStrictEqual([forged.status, forged.headers["access-control-allow-methods"]], [204, "GET"])
      }))

    it.effect("carries its headers on 200, 401, 404, 405, 422 and 500", () =>
      Effect.gen(function*() {
        const answers = [
          [200, yield* ask("/users/u-1", from(app, bearer))],
          [401, yield* ask("/users/u-1", from(app))],
          [404, yield* ask("/nowhere", from(app))],
          [405, yield* ask("/users", { method: "DELETE", ...from(app) })],
          [422, yield* ask("/users", { method: "POST", json: {}, ...from(app, bearer) })],
          [500, yield* ask("/raw/defect", from(app, bearer))]
        ] as const
        for (const [status, answer] of answers) {
          assert.strictEqual(answer.status, status)
          assert.strictEqual(answer.headers["access-control-allow-origin"], app, String(status))
          assert.strictEqual(answer.headers["access-control-allow-credentials"], "true", String(status))
          assert.strictEqual(answer.headers["vary"], "Origin", String(status))
          const exposed = answer.headers["access-control-expose-headers"]?.split(", ") ?? []
          for (const name of ["x-request-id", "etag", "location", "retry-after", "ratelimit", "x-total"]) {
            assert.include(exposed, name, String(status))
          }
        }
      }))

    it.effect("gives another origin nothing, and a cache the reason", () =>
      Effect.gen(function*() {
        const others = [
          "https://evil.test",
          "https://app.example.com.evil.test",
          "http://app.example.com",
          "https://preview.example.com",
          "https://evil.test/.preview.example.com",
          "https://a@b.preview.example.com",
          "null"
        ]
        for (const origin of others) {
          const answer = yield* ask("/docs", from(origin))
          assert.strictEqual(answer.status, 200)
          assert.deepStrictEqual(
            Object.keys(answer.headers).filter((name) => name.startsWith("access-control")),
            [],
            origin
          )
          assert.strictEqual(answer.headers["vary"], "Origin")
          const refused = yield* ask("/docs", preflight(origin, "GET"))
          assert.deepStrictEqual(Object.keys(refused.headers).filter((name) => name.startsWith("access-control")), [])
        }
        assert.strictEqual((yield* ask("/docs")).headers["vary"], "Origin")
      }))

    it.effect("knows all hosts below one, and joins the Vary of the handler", () =>
      Effect.gen(function*() {
        const origin = "https://pr-7.preview.example.com"
        const answer = yield* ask("/docs/varied", from(origin))
        assert.strictEqual(answer.headers["access-control-allow-origin"], origin)
        assert.strictEqual(answer.headers["vary"], "Accept-Language, Origin")
      }))

    it.effect("leaves an OPTIONS that is no preflight to Methods", () =>
      Effect.gen(function*() {
        const answer = yield* ask("/users", { method: "OPTIONS", ...from(app) })
        assert.deepStrictEqual([answer.status, answer.headers["allow"]], [204, "GET, HEAD, POST, OPTIONS"])
        assert.strictEqual(answer.headers["access-control-allow-origin"], app)
        assert.isUndefined(answer.headers["access-control-allow-methods"])
      }))
  })

  layer(serve({ origins: "*", allowedHeaders: "requested", maxAge: "1 hour" }), { excludeTestServices: true })((it) => {
    it.effect("says the same to everybody, without credentials and without Vary", () =>
      Effect.gen(function*() {
        const answer = yield* ask("/docs", from("https://anybody.test"))
        assert.strictEqual(answer.headers["access-control-allow-origin"], "*")
        assert.isUndefined(answer.headers["access-control-allow-credentials"])
        assert.isUndefined(answer.headers["vary"])
        const asked = yield* ask(
          "/docs",
          preflight("https://anybody.test", "GET", { "access-control-request-headers": "x-own, x-other" })
        )
        assert.strictEqual(asked.headers["access-control-allow-headers"], "x-own, x-other")
        assert.strictEqual(asked.headers["access-control-max-age"], "3600")
      }))
  })

  it.live("does not exist unless it is asked for", () =>
    Effect.gen(function*() {
      const answer = yield* ask("/docs", from(app))
      assert.deepStrictEqual(Object.keys(answer.headers).filter((name) => name.startsWith("access-control")), [])
      assert.isUndefined(answer.headers["vary"])
    }).pipe(Effect.provide(
      ServerStack.serve(Routes, { service: "x" }).pipe(Layer.provide(tokens), Layer.provideMerge(listener))
    )))
})
