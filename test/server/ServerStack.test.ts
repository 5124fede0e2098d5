import { assert, describe, it, layer } from "@effect/vitest"
import { Effect } from "effect"
import { Cors, Scopes, ServerStack, ServerStage } from "effect-lifecycle/server"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { ask, bearer, type Body, canary, live } from "./harness.ts"

const problem = (
  answer: { readonly status: number; readonly headers: Record<string, string>; readonly body: Body }
) => {
  assert.strictEqual(answer.headers["content-type"], "application/problem+json")
  assert.strictEqual(answer.body.status, answer.status)
  assert.strictEqual(answer.body.requestId, answer.headers["x-request-id"])
  assert.strictEqual(answer.body.instance, `urn:request:${answer.body.requestId}`)
  return [answer.status, answer.body.stage]
}

describe("the options of the stack", () => {
  const routes = HttpRouter.add("GET", "/", HttpServerResponse.empty())

  it("that are no slot are refused with the names there are", () => {
    const misspelt = { service: "x", scope: Scopes.stage({ routes: { "GET /": ["read"] } }) }
    const message = /^ServerStack\.serve: scope must be one of the slots service, .*scopes, .*, got server\/Scopes$/
    assert.throws(() => ServerStack.serve(routes, misspelt as ServerStack.Options), message)
    assert.throws(() => ServerStack.describe(misspelt), message)
  })

  it("that put a stage around the router into the slot of another are refused", () => {
    assert.throws(
      () => ServerStack.serve(routes, { service: "x", requestIds: Cors.stage({ origins: "*" }) }),
      /^ServerStack\.serve: requestIds must be server\/RequestIds or a stage of your own, got server\/Cors$/
    )
    const own = ServerStage.outer({ name: "ids", reports: "Middleware", wrap: (next) => next })
    assert.include(ServerStack.describe({ service: "x", requestIds: own }).map(({ name }) => name), "ids")
  })
})

describe("the stack over a real socket", () => {
  layer(live, { excludeTestServices: true })((it) => {
    it.effect("serves an HttpApi endpoint with its version", () =>
      Effect.gen(function*() {
        const answer = yield* ask("/users/u-1", { headers: bearer })
        assert.strictEqual(answer.status, 200)
        assert.strictEqual(answer.body["name"], "Alice")
        assert.strictEqual(answer.headers["etag"], "\"3\"")
        assert.strictEqual(answer.headers["x-content-type-options"], "nosniff")
        assert.strictEqual(answer.headers["cache-control"], "no-store")
      }))

    it.effect("creates with Location and ETag", () =>
      Effect.gen(function*() {
        const answer = yield* ask("/users", { method: "POST", headers: bearer, json: { name: "B", email: "b@c.d" } })
        assert.strictEqual(answer.status, 201)
        assert.strictEqual(answer.headers["location"], "/users/u-2")
        assert.strictEqual(answer.headers["etag"], "\"1\"")
      }))

    it.effect("turns a declared error of an endpoint into a problem", () =>
      Effect.gen(function*() {
        const answer = yield* ask("/users/u-7", { headers: bearer })
        assert.deepStrictEqual(problem(answer), [404, "Handler"])
        assert.strictEqual(answer.body["type"], "urn:problem:user-not-found")
        assert.strictEqual(answer.body["detail"], "There is no user u-7")
        assert.strictEqual(answer.body["id"], "u-7")
      }))

    it.effect("turns an escalated error into a problem that says nothing of the inside", () =>
      Effect.gen(function*() {
        const answer = yield* ask("/users/away", { headers: bearer })
        assert.deepStrictEqual(problem(answer), [503, "Handler"])
        assert.strictEqual(answer.headers["retry-after"], "1")
        assert.notInclude(answer.text, canary)
      }))

    it.effect("answers 404 for an unknown path with and without a token", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(problem(yield* ask("/nowhere")), [404, "Router"])
        assert.deepStrictEqual(problem(yield* ask("/nowhere", { headers: bearer })), [404, "Router"])
      }))

    it.effect("answers 405 with the exact methods of the path, without a token", () =>
      Effect.gen(function*() {
        const users = yield* ask("/users", { method: "DELETE" })
        assert.deepStrictEqual(problem(users), [405, "Router"])
        assert.strictEqual(users.headers["allow"], "GET, HEAD, POST, OPTIONS")
        const user = yield* ask("/users/u-1", { method: "PUT" })
        assert.strictEqual(user.headers["allow"], "GET, HEAD, PATCH, OPTIONS")
        const files = yield* ask("/raw/files/a/b", { method: "POST" })
        assert.strictEqual(files.headers["allow"], "DELETE, OPTIONS")
        assert.strictEqual((yield* ask("/health/live", { method: "DELETE" })).status, 405)
      }))

    it.effect("answers OPTIONS with Allow, HEAD from GET, and 501 for a method no route can have", () =>
      Effect.gen(function*() {
        const options = yield* ask("/users/u-1", { method: "OPTIONS" })
        assert.strictEqual(options.status, 204)
        assert.strictEqual(options.headers["allow"], "GET, HEAD, PATCH, OPTIONS")
        assert.isDefined(options.headers["x-request-id"])
        const head = yield* ask("/users/u-1", { method: "HEAD", headers: bearer })
        assert.deepStrictEqual([head.status, head.text], [200, ""])
        assert.deepStrictEqual(problem(yield* ask("/users", { method: "PROPFIND" })), [501, "Router"])
        assert.strictEqual((yield* ask("/nowhere", { method: "OPTIONS" })).status, 404)
      }))

    it.effect("answers 401 with a challenge, for no token and for a wrong one", () =>
      Effect.gen(function*() {
        const none = yield* ask("/users/u-1")
        assert.deepStrictEqual(problem(none), [401, "Security"])
        assert.strictEqual(none.headers["www-authenticate"], "Bearer")
        const wrong = yield* ask("/users/u-1", { headers: { authorization: `Bearer ${canary}` } })
        assert.strictEqual(wrong.headers["www-authenticate"], "Bearer error=\"invalid_token\"")
        assert.notInclude(wrong.text, canary)
      }))

    it.effect("knows the caller in the handler", () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* ask("/raw/whoami", { headers: bearer })).text, "alice")
        assert.strictEqual(
          (yield* ask("/raw/whoami", { headers: { authorization: "bearer  token456" } })).text,
          "bob"
        )
      }))

    it.effect("lets documentation through without a token", () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* ask("/docs")).status, 200)
        const api = yield* ask("/openapi.json")
        assert.strictEqual(api.status, 200)
        const responses = api.body.paths?.["/users/{id}"]?.get.responses
        assert.deepStrictEqual(Object.keys(responses?.["404"]?.content ?? {}), ["application/problem+json"])
      }))

    it.effect("lists every wrong field of a body, an HttpApi's and a raw route's", () =>
      Effect.gen(function*() {
        for (const path of ["/users", "/raw/users"]) {
          const answer = yield* ask(path, { method: "POST", headers: bearer, json: { name: "", email: "x" } })
          assert.deepStrictEqual(problem(answer), [422, "Validation"])
          assert.deepStrictEqual(answer.body.errors?.map((_) => _.pointer), ["/name", "/email"])
          assert.isString(answer.body.errors?.[0]?.detail)
        }
        const missing = yield* ask("/users", { method: "POST", headers: bearer, json: {} })
        assert.deepStrictEqual(missing.body.errors?.map((_) => _.pointer), ["/name", "/email"])
        const query = yield* ask("/users?limit=x&after=y", { headers: bearer })
        assert.deepStrictEqual(problem(query), [422, "Validation"])
        assert.deepStrictEqual(query.body.errors?.map((_) => [_.in, _.pointer]), [
          ["query", "/limit"],
          ["query", "/after"]
        ])
      }))

    it.effect("keeps 400 for a body that is not JSON", () =>
      Effect.gen(function*() {
        for (const path of ["/users", "/raw/users"]) {
          const answer = yield* ask(path, {
            method: "POST",
            headers: { ...bearer, "content-type": "application/json" },
            body: "{\"name\": "
          })
          assert.deepStrictEqual(problem(answer), [400, "Validation"], path)
        }
      }))

    it.effect("answers 415 with Accept for a form, for a body without a type, and for a coded body", () =>
      Effect.gen(function*() {
        for (const path of ["/users", "/raw/users"]) {
          const form = yield* ask(path, { method: "POST", headers: bearer, body: new URLSearchParams({ name: "A" }) })
          assert.deepStrictEqual(problem(form), [415, "Validation"])
          assert.strictEqual(form.headers["accept"], "application/json")
        }
        const untyped = yield* ask("/users", { method: "POST", headers: bearer, body: new Uint8Array([123, 125]) })
        assert.strictEqual(untyped.status, 415)
        const coded = yield* ask("/users", {
          method: "POST",
          headers: { ...bearer, "content-type": "application/json", "content-encoding": "gzip" },
          body: "x"
        })
        assert.deepStrictEqual([coded.status, coded.headers["accept-encoding"]], [415, "identity"])
      }))

    it.effect("answers 413 for what is declared too large and for what turns out to be", () =>
      Effect.gen(function*() {
        const big = "x".repeat(1_100_000)
        for (const path of ["/users", "/raw/users"]) {
          const declared = yield* ask(path, { method: "POST", headers: bearer, json: { name: big } })
          assert.deepStrictEqual(problem(declared), [413, "Validation"])
          const streamed = yield* ask(path, {
            method: "POST",
            headers: { ...bearer, "content-type": "application/json" },
            body: new Blob([big]).stream(),
            duplex: "half"
          } as RequestInit)
          assert.deepStrictEqual(problem(streamed), [413, "Validation"])
        }
      }))

    it.effect("asks for a version, refuses a stale one, takes the current one", () =>
      Effect.gen(function*() {
        const rename = (headers: Record<string, string>) =>
          ask("/users/u-1", { method: "PATCH", headers: { ...bearer, ...headers }, json: { name: "Al" } })
        assert.deepStrictEqual(problem(yield* rename({})), [428, "Dependencies"])
        assert.deepStrictEqual(problem(yield* rename({ "if-match": "\"2\"" })), [412, "Dependencies"])
        assert.deepStrictEqual(problem(yield* rename({ "if-match": "W/\"3\"" })), [412, "Dependencies"])
        assert.deepStrictEqual(problem(yield* rename({ "if-match": "3" })), [400, "Dependencies"])
        assert.strictEqual((yield* rename({ "if-match": "\"3\"" })).status, 200)
        assert.strictEqual((yield* rename({ "if-match": "*" })).status, 200)
      }))

    it.effect("answers 304 to a reader who has this version", () =>
      Effect.gen(function*() {
        const answer = yield* ask("/users/u-1", { headers: { ...bearer, "if-none-match": "\"1\", W/\"3\"" } })
        assert.deepStrictEqual([answer.status, answer.text, answer.headers["etag"]], [304, "", "\"3\""])
        assert.strictEqual((yield* ask("/users/u-1", { headers: { ...bearer, "if-none-match": "\"1\"" } })).status, 200)
      }))

    it.effect("answers 504 when the caller's budget is spent, and cuts a handler that is slower", () =>
      Effect.gen(function*() {
        const slow = (timeout: string) => ask("/raw/slow", { headers: { ...bearer, "x-request-timeout": timeout } })
        assert.deepStrictEqual(problem(yield* slow("0.05")), [504, "Middleware"])
        assert.deepStrictEqual(problem(yield* slow("0")), [504, "Middleware"])
        assert.deepStrictEqual(problem(yield* slow("0.004")), [504, "Middleware"])
      }))

    it.effect("answers liveness, readiness and metrics without a token", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual((yield* ask("/health/live")).body, { status: "ok" })
        assert.deepStrictEqual((yield* ask("/health/ready")).body, { status: "ok", checks: {} })
        assert.include((yield* ask("/metrics")).headers["content-type"], "text/plain")
      }))
  })
})
