import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted } from "effect"
import { Authentication, ServerStack } from "effect-lifecycle/server"
import { type Client, clientOf, open } from "../../serve.ts"
import { check } from "../../support.ts"
import { edge, header, idFrom, requestIds, stages } from "./exercise.ts"
import { routes, shop } from "./shop.ts"

const own = Effect.flatMap(shop, (app) => clientOf(requestIds(app)))

const stack = open(
  ServerStack.serve(routes, stages).pipe(
    Layer.provide(Authentication.layerTokens(Redacted.make("token-a:alice")))
  )
)

const shape = /^[A-Za-z0-9._-]{1,128}$/
const good = ["order-42", "a", "A.b_c-9", "x".repeat(128), "01890a5d-ac96-774b-bcce-b302099a8057"]
const bad = ["two words", "<script>", "x".repeat(129), "x".repeat(200), "naïve", "a,b", "id=1", "a/b"]
const unsendable = ["two\nlines", "ends with a break\n", "a\r\nset-cookie: x", "", "\u0000"]

const shown = (value: string): string =>
  value.length > 40 ? `A value of ${value.length} characters` : JSON.stringify(value)

describe("a: what the shop answers stays as it is", () => {
  it.effect("statuses and bodies", () =>
    Effect.gen(function*() {
      const client = yield* own
      assert.strictEqual((yield* client({ path: "/orders/1" })).status, 200, "An order that is there is answered.")
      assert.strictEqual((yield* client({ path: "/nowhere" })).status, 404, "An unknown path is 404.")
      assert.strictEqual((yield* client({ path: "/broken" })).status, 500, "A bug is 500.")
      const blocked = yield* client({ path: "/orders/1", headers: { "x-blocked": "yes" } })
      assert.deepEqual([blocked.status, blocked.body], [503, "not today"], "A refusal stays as it is.")
    }))
})

describe("b: a good id is kept, and any other is replaced", () => {
  for (const value of good) {
    it.effect(`keeps ${shown(value)}`, () =>
      Effect.gen(function*() {
        check(Option.isSome(idFrom(value)), `${shown(value)} is an id, and must be kept.`)
        const { headers } = yield* (yield* own)({ path: "/orders/1", headers: { [header]: value } })
        assert.strictEqual(headers[header], value, "The answer must carry the id that the request brought.")
      }))
  }

  for (const value of bad) {
    it.effect(`replaces ${shown(value)}`, () =>
      Effect.gen(function*() {
        const taken = Option.getOrUndefined(idFrom(value))
        check(
          taken === undefined,
          `${shown(value)} is no id, and must not get in. Seen: it was taken as ${shown(taken ?? "")}.`
        )
        const { headers } = yield* (yield* own)({ path: "/orders/1", headers: { [header]: value } })
        const id = headers[header]
        check(id !== undefined, `A request with ${shown(value)} for an id gets none: make one.`)
        check(id !== value && shape.test(id), `A request with ${shown(value)} for an id is answered with ${shown(id)}.`)
      }))
  }

  for (const value of unsendable) {
    it(`refuses ${shown(value)}`, () => {
      check(
        Option.isNone(idFrom(value)),
        `${shown(value)} is no id. Does your pattern look at the whole value, from its beginning to its end?`
      )
    })
  }

  it.effect("makes one where there is none", () =>
    Effect.gen(function*() {
      check(Option.isNone(idFrom(undefined)), "Without a header there is no id to keep.")
      const { headers } = yield* (yield* own)({ path: "/orders/1" })
      check(
        shape.test(headers[header] ?? ""),
        `A request without an id must get one; the answer has "${headers[header]}".`
      )
    }))
})

describe("c: every answer has the id, an error too", () => {
  const cases = [
    { title: "200", ask: { path: "/orders/1" } },
    { title: "404, of the router", ask: { path: "/nowhere" } },
    { title: "500, of a bug", ask: { path: "/broken" } },
    { title: "500, of an error that nobody handles", ask: { path: "/refused" } },
    { title: "503, of a middleware before the router", ask: { path: "/orders/1", headers: { "x-blocked": "yes" } } }
  ]
  for (const { ask, title } of cases) {
    it.effect(title, () =>
      Effect.gen(function*() {
        const { headers } = yield* (yield* own)({ ...ask, headers: { ...ask.headers, [header]: "order-42" } })
        assert.strictEqual(headers[header], "order-42", `The answer "${title}" must carry the id.`)
      }))
  }
})

const sameInside = Effect.fnUntraced(function*(client: Client) {
  const answers = yield* Effect.forEach(
    Array.from({ length: 20 }),
    () => client({ path: "/orders/1" }),
    { concurrency: "unbounded" }
  )
  for (const { body, headers } of answers) {
    check(
      body === headers[header] && shape.test(body),
      `The handler knows the request as "${body}", the answer carries "${headers[header]}". One request has one id.`
    )
  }
  check(
    new Set(answers.map(({ body }) => body)).size === answers.length,
    "Two requests got the same id. When is it made: for each request, or once?"
  )
})

describe("d: the handler and the answer have the same id, and no other request has it", () => {
  it.effect("a made one", () => Effect.flatMap(own, sameInside))

  it.effect("one from outside", () =>
    Effect.gen(function*() {
      const { body } = yield* (yield* own)({ path: "/orders/1", headers: { [header]: "order-42" } })
      assert.strictEqual(body, "order-42", "The handler must find the id of the request in RequestId.Current.")
    }))
})

describe("e: the same with RequestIds in a ServerStack", () => {
  it.effect("an id of the edge is kept", () =>
    Effect.gen(function*() {
      const client = yield* stack
      for (const path of ["/orders/1", "/nowhere", "/broken"]) {
        const { headers, status } = yield* client({ path, peer: edge, headers: { "x-edge-id": "order-42" } })
        assert.strictEqual(
          headers[header],
          "order-42",
          `The edge sent an id in x-edge-id; the ${status} must carry it as ${header}.`
        )
      }
    }))

  it.effect("an id of anybody else is replaced", () =>
    Effect.gen(function*() {
      const client = yield* stack
      for (const peer of ["203.0.113.9", "10.0.0.7", "127.0.0.1"]) {
        const { body, headers } = yield* client({ path: "/orders/1", peer, headers: { "x-edge-id": "order-42" } })
        check(headers[header] !== "order-42", `An id was taken over from ${peer}, which is not the edge.`)
        check(
          body === headers[header] && shape.test(body),
          `The request of ${peer} must get a new id; the handler knows "${body}", the answer carries "${
            headers[header]
          }".`
        )
      }
    }))

  it.effect("the edge is believed in one header only", () =>
    Effect.gen(function*() {
      const { headers } = yield* (yield* stack)({ path: "/orders/1", peer: edge, headers: { [header]: "order-42" } })
      check(
        headers[header] !== "order-42",
        `The edge hands ids in by x-edge-id; what comes in ${header} is a customer's. Seen: the answer carries that.`
      )
    }))

  it.effect("two requests differ", () => Effect.flatMap(stack, sameInside))
})
