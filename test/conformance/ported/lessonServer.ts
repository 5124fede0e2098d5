import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { Failure } from "effect-lifecycle/lifecycle"
import { RequestId } from "effect-lifecycle/request"
import { ServerStack, ServerStage } from "effect-lifecycle/server"
import type { HttpServer } from "effect/http"
import { TestClock } from "effect/testing"
import { ask, bearer, canary, live } from "../../server/harness.ts"
import { differs, equal, type Topic } from "../ported.ts"

/** Runs against the whole stack on a real socket, and so in real time. */
const served = (body: Effect.Effect<void, unknown, HttpServer.HttpServer>) =>
  TestClock.withLive(Effect.provide(body, live, { local: true }))

const json = { ...bearer, "content-type": "application/json" }

const limit = ServerStage.make<never, never>({ name: "limit", reports: "Middleware", wrap: (next) => next })

/** What the server answers, and what is on the answer. */
export const lessonServer: Topic = {
  source: "lesson",
  title: "The lesson: statuses and answers",
  file: "lessonServer.ts",
  behaviours: [
    equal(
      "status-table",
      "keeps the status of each of the eighteen rows of the lesson's failure table",
      () =>
        Effect.sync(() => {
          const rows = Failure.all.flatMap(({ lessonRow, status }) =>
            lessonRow === undefined ? [] : [[lessonRow, status]]
          )
          assert.deepStrictEqual(
            rows.sort((a, b) => Number(a[0]) - Number(b[0])).map(([, status]) => status),
            [null, null, null, 502, 504, 413, 502, 504, 502, 401, 429, 400, 404, 405, 403, 422, 500, 404]
          )
        })
    ),
    equal("status-401", "answers 401 to a token that nobody gave out", () =>
      served(Effect.gen(function*() {
        const answer = yield* ask("/users/u-1", { headers: { authorization: "Bearer other" } })
        assert.strictEqual(answer.status, 401)
      }))),
    equal(
      "status-404",
      "answers 404 for a path without a route and for a thing that does not exist",
      () =>
        served(Effect.gen(function*() {
          const path = yield* ask("/nowhere", { headers: bearer })
          const thing = yield* ask("/users/u-9", { headers: bearer })
          assert.deepStrictEqual([path.status, thing.status], [404, 404])
        }))
    ),
    equal("status-405", "answers 405 with Allow", () =>
      served(Effect.gen(function*() {
        const answer = yield* ask("/users", { method: "DELETE", headers: bearer })
        assert.strictEqual(answer.status, 405)
        assert.include(answer.headers["allow"], "POST")
      }))),
    equal("status-422", "answers 422 and names every wrong field at once", () =>
      served(Effect.gen(function*() {
        const answer = yield* ask("/users", { method: "POST", headers: bearer, json: { name: "", email: "nobody" } })
        assert.strictEqual(answer.status, 422)
        assert.deepStrictEqual(answer.body.errors?.map((error) => error.pointer).sort(), ["/email", "/name"])
      }))),
    equal(
      "status-500",
      "answers 500 to what nobody foresaw, without a word of the inside",
      () =>
        served(Effect.gen(function*() {
          const answer = yield* ask("/raw/defect", { headers: bearer })
          assert.strictEqual(answer.status, 500)
          assert.notInclude(answer.text, canary)
        }))
    ),
    differs("status-415", {
      theirs: "answers 422 to a body of another media type",
      ours: "answers 415 and says in Accept what is read",
      reason: "nothing was validated: HTTP has a status for a kind of body that the server does not read"
    }, () =>
      served(Effect.gen(function*() {
        const form = { ...bearer, "content-type": "application/x-www-form-urlencoded" }
        const answer = yield* ask("/users", { method: "POST", headers: form, body: "name=Alice" })
        assert.deepStrictEqual([answer.status, answer.headers["accept"]], [415, "application/json"])
      }))),
    differs("status-400", {
      theirs: "knows 422 for every body that is not right",
      ours: "answers 400 to a body that is not JSON, and 422 only to JSON with the wrong content",
      reason: "the first is a bug of the client's code, the second may be a user's typing"
    }, () =>
      served(Effect.gen(function*() {
        const answer = yield* ask("/users", { method: "POST", headers: json, body: "{\"name\": " })
        assert.strictEqual(answer.status, 400)
      }))),
    differs("status-layer", {
      theirs: "tells the layer by the form of the body: HTML is the proxy, JSON the application, 422 the framework",
      ours: "names the stage in the answer, for every failure",
      reason: "a handler may answer 422 or 404 as well, and a proxy may answer JSON"
    }, () =>
      served(Effect.gen(function*() {
        const path = yield* ask("/nowhere", { headers: bearer })
        const thing = yield* ask("/users/u-9", { headers: bearer })
        assert.deepStrictEqual([path.body["stage"], thing.body["stage"]], ["Router", "Handler"])
      }))),
    differs("status-504-deadline", {
      theirs: "has one timeout in the proxy and the same one in the worker, and a handler that works on after the 504",
      ours: "answers 504 when the caller's budget is spent, and does not start or does not finish the handler",
      reason: "an inner limit as long as the outer one is never reached first",
      rule: "T11"
    }, () =>
      served(Effect.gen(function*() {
        const answer = yield* ask("/raw/slow", { headers: { ...bearer, "x-request-timeout": "0.05" } })
        assert.strictEqual(answer.status, 504)
      }))),
    differs("status-503-store", {
      theirs: "answers 500 when the database is not reachable or its pool is empty",
      ours: "answers 503 with Retry-After",
      reason: "it is not a bug of the code, and a client may come back",
      rule: "T36"
    }, () =>
      served(Effect.gen(function*() {
        const answer = yield* ask("/users/away", { headers: bearer })
        assert.deepStrictEqual([answer.status, answer.headers["retry-after"]], [503, "1"])
      }))),
    equal(
      "request-id-echo",
      "sends the request id back, the caller's own where there is one",
      () =>
        served(Effect.gen(function*() {
          const answer = yield* ask("/users/u-1", { headers: { ...bearer, "x-request-id": "f4a2b3c1" } })
          assert.strictEqual(answer.headers["x-request-id"], "f4a2b3c1")
        }))
    ),
    equal(
      "request-id-kong",
      "takes X-Kong-Request-ID where there is no X-Request-ID, else makes a new one",
      () =>
        served(Effect.gen(function*() {
          const kong = yield* ask("/users/u-1", { headers: { ...bearer, "x-kong-request-id": "kong-1" } })
          assert.strictEqual(kong.headers["x-request-id"], "kong-1")
          assert.match((yield* ask("/users/u-1", { headers: bearer })).headers["x-request-id"] ?? "", /^[\w-]{20,}$/)
        }))
    ),
    differs("request-id-500", {
      theirs: "sets the header after the handler has returned, so a 500 goes out without it",
      ours: "sets it on every answer",
      reason: "the answer to a failure is the one that somebody will look up",
      rule: "T33"
    }, () =>
      served(Effect.gen(function*() {
        for (const path of ["/raw/defect", "/nowhere", "/users/u-9"]) {
          const answer = yield* ask(path, { headers: { ...bearer, "x-request-id": "f4a2b3c1" } })
          assert.strictEqual(answer.headers["x-request-id"], "f4a2b3c1", path)
        }
      }))),
    differs("request-id-checked", {
      theirs: "takes over an id of any length and with any characters, from anybody",
      ours: "takes `[A-Za-z0-9._-]{1,128}` from a trusted hop, and replaces everything else",
      reason: "an id goes into every log line: a line break in it forges a line",
      rule: "T33"
    }, () =>
      Effect.sync(() => {
        const taken = (value: string, trusted: boolean) =>
          RequestId.fromHeaders({ "x-request-id": value }, { trusted })._tag
        assert.strictEqual(taken("abc-123", true), "Some")
        assert.strictEqual(taken("abc-123", false), "None")
        assert.strictEqual(taken("abc\nERROR all is lost", true), "None")
        assert.strictEqual(taken("a".repeat(129), true), "None")
      })),
    equal("order-security", "puts authentication before everything that trusts the user", () =>
      Effect.sync(() => {
        const names = ServerStack.describe({ service: "x", limitByUser: limit }).map((stage) => stage.name)
        assert.isBelow(names.indexOf("server/Authentication"), names.lastIndexOf("limit"))
      })),
    differs("order-limits", {
      theirs: "says that limits come after authentication, and shows a limit by address before it",
      ours: "has two slots: a limit by address before authentication, a limit by user after it",
      reason: "the first protects authentication itself, the second a user's share; neither does the other's work",
      rule: "T35"
    }, () =>
      Effect.sync(() => {
        const stages = ServerStack.describe({ service: "x", limitByAddress: limit, limitByUser: limit })
        const names = stages.map((stage) => stage.name)
        assert.isBelow(names.indexOf("limit"), names.indexOf("server/Authentication"))
        assert.isBelow(names.indexOf("server/Authentication"), names.lastIndexOf("limit"))
      }))
  ]
}
