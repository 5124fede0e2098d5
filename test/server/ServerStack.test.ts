import { assert, describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import { ask, bearer, canary, live } from "./harness.ts"

const problem = (answer: { readonly status: number; readonly headers: Record<string, string>; readonly body: any }) => {
  assert.strictEqual(answer.headers["content-type"], "application/problem+json")
  assert.strictEqual(answer.body.status, answer.status)
  assert.strictEqual(answer.body.requestId, answer.headers["x-request-id"])
  assert.strictEqual(answer.body.instance, `urn:request:${answer.body.requestId}`)
  return [answer.status, answer.body.stage]
}

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
        console.log(answer.headers)
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
  })
})
