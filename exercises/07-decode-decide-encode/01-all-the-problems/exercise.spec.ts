import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { HttpRouter } from "effect/http"
import { check } from "../../support.ts"
import { create, faultsOf } from "./exercise.ts"
import type { NewOrder } from "./order.ts"

const good: NewOrder = {
  customer: "ada",
  email: "ada@example.com",
  password: "correct horse",
  lines: [{ sku: "b-1", quantity: 2 }]
}
const secret = "hunter2"

interface Document {
  readonly title?: unknown
  readonly status?: unknown
  readonly errors?: ReadonlyArray<{ readonly pointer?: unknown; readonly detail?: unknown }>
}

const post = (body: string) =>
  Effect.gen(function*() {
    const placed: Array<NewOrder> = []
    const route = HttpRouter.add(
      "POST",
      "/orders",
      create((order) => Effect.sync(() => (placed.push(order), `order-${placed.length}`)))
    )
    const { dispose, handler } = HttpRouter.toWebHandler(route, { disableLogger: true })
    const request = new Request("http://orders.internal/orders", { method: "POST", body })
    const response = yield* Effect.promise(() => handler(request))
    const text = yield* Effect.promise(() => response.text())
    yield* Effect.promise(dispose)
    let document: Document = {}
    try {
      document = JSON.parse(text)
    } catch {
      // Checked where a document is expected.
    }
    return { status: response.status, type: response.headers.get("content-type") ?? "", text, document, placed }
  })

const send = (body: unknown) => post(JSON.stringify(body))

const pointers = (document: Document): ReadonlyArray<string> =>
  (document.errors ?? []).map((error) => String(error.pointer)).sort()

describe("a: a good order is placed", () => {
  it.effect("201", () =>
    Effect.gen(function*() {
      const { placed, status } = yield* send(good)
      assert.strictEqual(status, 201, "A good order is created.")
      assert.deepEqual(placed, [good], "The order is handed over as it was decoded.")
    }))
})

describe("b: every fault is told, with its place", () => {
  it.effect("three faults", () =>
    Effect.gen(function*() {
      const { document, placed, status, type } = yield* send({
        ...good,
        customer: "",
        email: "nobody",
        lines: [{ sku: "b-1", quantity: 2 }, { sku: "b-2", quantity: 0 }]
      })
      assert.strictEqual(status, 422, "JSON that does not fit the schema is answered with 422.")
      check(type.startsWith("application/problem+json"), `The answer is application/problem+json. Seen: ${type}.`)
      assert.strictEqual(document.status, 422, "The document repeats the status.")
      check(typeof document.title === "string" && document.title !== "", "The document has a title.")
      assert.deepEqual(
        pointers(document),
        ["/customer", "/email", "/lines/1/quantity"],
        "Three fields are wrong, and each is told with the place where it is."
      )
      check(placed.length === 0, "An order that does not fit is not placed.")
    }))

  it.effect("what is expected", () =>
    Effect.gen(function*() {
      const { document } = yield* send({ ...good, password: "short", lines: [{ sku: "b-1", quantity: "2" }] })
      const details = new Map((document.errors ?? []).map((error) => [error.pointer, String(error.detail)]))
      const password = details.get("/password") ?? ""
      check(password.includes("12"), `A password needs 12 characters, and the fault says so. Seen: "${password}".`)
      const quantity = details.get("/lines/0/quantity") ?? ""
      check(quantity.includes("number"), `A quantity is a number, and the fault says so. Seen: "${quantity}".`)
      const long = [...details.values()].find((detail) => detail.includes("\n"))
      check(long === undefined, `A fault is one line about one place, not the dump of all. Seen: ${long}.`)
    }))

  it.effect("what is missing, and what is no object", () =>
    Effect.gen(function*() {
      const missing = yield* send({ customer: "ada" })
      assert.deepEqual(pointers(missing.document), ["/email", "/lines", "/password"], "Missing fields have a place.")
      const list = yield* send([])
      assert.deepEqual(pointers(list.document), [""], "The place of the whole body is the empty string.")
    }))

  it("names that a pointer must escape", () => {
    const Odd = Schema.Struct({ "a/b": Schema.String, "c~d": Schema.String })
    const decoded = Schema.decodeUnknownResult(Odd, { errors: "all" })({ "a/b": 1, "c~d": 1 })
    if (decoded._tag === "Success") return assert.fail("Two numbers are no strings.")
    const seen = faultsOf(decoded.failure).map((fault) => fault.pointer).sort()
    assert.deepEqual(seen, ["/a~1b", "/c~0d"], "In a pointer ~ is written ~0, and / is written ~1.")
  })
})

describe("c: no value is sent back", () => {
  it.effect("a password that is too short", () =>
    Effect.gen(function*() {
      const { document, text } = yield* send({ ...good, password: secret })
      assert.deepEqual(pointers(document), ["/password"], "The password is named as the one field that is wrong.")
      check(!text.includes(secret), `The answer must not hold the password that was sent. Seen: ${text}.`)
    }))

  it.effect("a secret in the wrong place", () =>
    Effect.gen(function*() {
      const { document, text } = yield* send({ ...good, email: secret, lines: [{ sku: "b-1", quantity: secret }] })
      assert.deepEqual(pointers(document), ["/email", "/lines/0/quantity"], "Both fields are named.")
      check(!text.includes(secret), `The answer must not hold what was sent. Seen: ${text}.`)
    }))
})

describe("d: what is not JSON is told apart", () => {
  for (const body of [`{"password": "${secret}"`, "", "customer=ada"]) {
    it.effect(body === "" ? "an empty body" : body, () =>
      Effect.gen(function*() {
        const { document, status, text } = yield* post(body)
        assert.strictEqual(status, 400, "A body that is not JSON is answered with 400.")
        check(typeof document.title === "string" && document.title !== "", "The answer has a document with a title.")
        assert.strictEqual(document.status, 400, "The document repeats the status.")
        check(document.errors === undefined, "Where nothing could be read, nothing is at a place.")
        check(!text.includes(secret), `The answer must not hold what was sent. Seen: ${text}.`)
      }))
  }
})
