import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { InvalidOption } from "effect-lifecycle/resilience"
import { Authentication, Scopes, ServerStack } from "effect-lifecycle/server"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { ask, listener } from "./harness.ts"

let ran = 0
const ok = Effect.sync(() => {
  ran++
  return HttpServerResponse.text("ok")
})
const routes = Layer.mergeAll(
  HttpRouter.add("GET", "/orders/:id", ok),
  HttpRouter.add("POST", "/orders", ok),
  HttpRouter.add("GET", "/free", ok),
  HttpRouter.add("GET", "/admin/users", ok),
  HttpRouter.add("POST", "/admin/users", ok),
  HttpRouter.add("GET", "/docs", ok),
  HttpRouter.add("GET", "/inside", Scopes.require("orders.read", "orders.write")(ok))
)
const tokens = Authentication.layerTokens(Redacted.make(
  "plain:alice, reader:bob:orders.read, writer:carol:orders.read+orders.write, root:dora:admin+orders.write"
))
const table = {
  "GET /orders/:id": ["orders.read"],
  "POST /orders": ["orders.write"],
  "/admin/*": ["admin"],
  "POST /admin/users": ["orders.write"],
  "/docs": ["docs.read"]
}
const serve = (options: Scopes.Options) =>
  ServerStack.serve(routes, { service: "orders", scopes: Scopes.stage(options) }).pipe(
    Layer.provide(tokens),
    Layer.provideMerge(listener)
  )
const as = (token: string | undefined, path: string, method = "GET") =>
  ask(path, { method, headers: token === undefined ? {} : { authorization: `Bearer ${token}` } })

describe("Scopes", () => {
  it.effect("reads scopes from a token list, and lists without them as before", () =>
    Effect.gen(function*() {
      const whose = (list: string, token: string) =>
        Authentication.Authenticator.use((_) => _.authenticate(Redacted.make(token))).pipe(
          Effect.provide(Authentication.layerTokens(Redacted.make(list)))
        )
      assert.deepStrictEqual(yield* whose("token123:alice,token456:bob", "token456"), { id: "bob" })
      assert.deepStrictEqual(yield* whose(" t:alice:orders.read+orders.write , u:bob,", "t"), {
        id: "alice",
        scopes: ["orders.read", "orders.write"]
      })
      assert.deepStrictEqual((yield* whose("t:alice:https//a/b.read", "t")).scopes, ["https//a/b.read"])
      for (const wrong of ["t", ":alice", "t:", "t:a:", "t:a:+", "t:a:x+", "t:a:x y", "t:a:\"", "t:a:x:y"]) {
        const error = yield* Effect.flip(whose(`ok:fine,${wrong}`, "ok"))
        assert.strictEqual(error._tag, "InvalidTokens", wrong)
        assert.include(String(error), "Entry 2 ", wrong)
      }
    }))

  it("refuses names that would end the header they stand in", () => {
    for (const scope of ["", "two words", "a\"b", "a\\b", "a\r\nb", "é"]) {
      assert.throws(() => Scopes.stage({ routes: { "/a": [scope] } }), InvalidOption.InvalidOption, "routes[\"/a\"]")
      assert.throws(() => Scopes.require(scope), InvalidOption.InvalidOption, "Scopes.require")
    }
  })

  layer(serve({ routes: table }), { excludeTestServices: true })((it) => {
    it.effect("lets in who has the scopes of the route", () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* as("reader", "/orders/1")).status, 200)
        assert.strictEqual((yield* as("writer", "/orders", "POST")).status, 200)
        assert.strictEqual((yield* as("plain", "/free")).status, 200)
        assert.strictEqual((yield* as("root", "/admin/users", "POST")).status, 200)
      }))

    it.effect("refuses with 403, says what would be enough, and does not run the handler", () =>
      Effect.gen(function*() {
        ran = 0
        const answer = yield* as("reader", "/orders", "POST")
        assert.strictEqual(answer.status, 403)
        assert.strictEqual(answer.headers["content-type"], "application/problem+json")
        assert.strictEqual(
          answer.headers["www-authenticate"],
          "Bearer error=\"insufficient_scope\", scope=\"orders.write\""
        )
        assert.deepInclude(answer.body, {
          type: "urn:problem:insufficient-scope",
          status: 403,
          stage: "Security",
          detail: "The token lacks orders.write",
          missing: ["orders.write"],
          requestId: answer.headers["x-request-id"]
        })
        assert.strictEqual((yield* as("plain", "/orders/1")).status, 403)
        assert.strictEqual((yield* as("writer", "/admin/users")).status, 403)
        const both = yield* as("reader", "/admin/users", "POST")
        assert.include(both.headers["www-authenticate"], "scope=\"admin orders.write\"")
        assert.strictEqual(ran, 0)
      }))

    it.effect("names in the problem only what is missing, and in the challenge all that is needed", () =>
      Effect.gen(function*() {
        const answer = yield* as("reader", "/inside")
        assert.strictEqual(answer.status, 403)
        assert.include(answer.headers["www-authenticate"], "scope=\"orders.read orders.write\"")
        assert.deepStrictEqual(answer.body["missing"], ["orders.write"])
        assert.strictEqual((yield* as("writer", "/inside")).status, 200)
      }))

    it.effect("stays behind authentication: 401 without a token, also where the route asks for none", () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* as(undefined, "/orders/1")).headers["www-authenticate"], "Bearer")
        const nobody = yield* as(undefined, "/docs")
        assert.strictEqual(nobody.status, 401)
        assert.strictEqual(nobody.headers["www-authenticate"], "Bearer scope=\"docs.read\"")
        assert.strictEqual((yield* as("plain", "/nowhere")).status, 404)
      }))
  })

  layer(serve({ routes: { ...table, "/free": [] }, unlisted: "refuse" }), { excludeTestServices: true })((it) => {
    it.effect("refuses what nobody listed when told so, and an empty list lets everybody in", () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* as("writer", "/inside")).status, 403)
        assert.strictEqual((yield* as("plain", "/free")).status, 200)
        assert.strictEqual((yield* as("reader", "/orders/1")).status, 200)
        assert.strictEqual((yield* as(undefined, "/health/live")).status, 200)
      }))
  })
})
