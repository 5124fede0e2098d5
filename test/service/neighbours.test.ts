import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { ServerResponse } from "node:http"
import { charged, fakePayments, type Heard, ordersBeside } from "./besidePayments.ts"
import { eventually, NotYet } from "./harness.ts"

describe("orders, beside payments", () => {
  it.live("asks with its own token, never the caller's, under a key of the attempt, with less time than it has", () =>
    Effect.gen(function*() {
      const payments = yield* fakePayments(charged)
      const { id, pay } = yield* ordersBeside(payments.url)
      const paid = yield* pay({
        "x-request-id": "paying",
        "x-request-timeout": "3",
        "x-request-priority": "low",
        "idempotency-key": "the-callers-own",
        cookie: "session=1"
      })
      assert.strictEqual(paid.status, 200, paid.text)
      assert.deepInclude(paid.body, { status: "paid", paymentId: "pay_1" })
      const [{ body, headers, method, url }] = payments.heard as [Heard]
      assert.deepStrictEqual([method, url], ["POST", "/payments"])
      assert.strictEqual(headers["authorization"], "Bearer token-of-orders")
      assert.match(String(headers["idempotency-key"]), /^PayOrder\/attempt_[0-9a-f]{32}\/charge$/)
      assert.strictEqual(headers["x-request-id"], "paying")
      assert.strictEqual(headers["x-request-priority"], "low")
      assert.isAtMost(Number(headers["x-request-timeout"]), 2.995)
      assert.isAbove(Number(headers["x-request-timeout"]), 1)
      assert.notProperty(headers, "cookie")
      assert.notInclude(JSON.stringify(payments.heard), "token123")
      assert.deepStrictEqual(JSON.parse(body), { orderId: id, userId: "usr_1", amount: 2500 })
    }))

  it.live("does not ask again for an order that is paid", () =>
    Effect.gen(function*() {
      const payments = yield* fakePayments(charged)
      const { pay } = yield* ordersBeside(payments.url)
      const first = yield* pay()
      const again = yield* pay()
      assert.deepStrictEqual([again.status, again.text], [200, first.text])
      assert.lengthOf(payments.heard, 1)
    }))

  it.live("asks again under the same key when payments stumbles", () =>
    Effect.gen(function*() {
      let asked = 0
      const payments = yield* fakePayments((response, body) =>
        ++asked === 1 ? response.destroy() : charged(response, body)
      )
      const { pay } = yield* ordersBeside(payments.url)
      assert.strictEqual((yield* pay()).status, 200)
      const keys = payments.heard.map(({ headers }) => headers["idempotency-key"])
      assert.lengthOf(keys, 2)
      assert.strictEqual(keys[0], keys[1])
    }))

  it.live("says 502 when payments refuses, leaves the order open, and asks anew the next time", () =>
    Effect.gen(function*() {
      let open = false
      const payments = yield* fakePayments((response, body) => {
        if (open) return charged(response, body)
        response.writeHead(409, { "content-type": "application/problem+json" })
          .end(JSON.stringify({ type: "urn:problem:payer-refused", detail: "a secret" }))
      })
      const { id, pay, read } = yield* ordersBeside(payments.url)
      const { body, headers, status, text } = yield* pay()
      assert.strictEqual(status, 502)
      assert.deepInclude(body, {
        type: "urn:problem:payment-failed",
        stage: "Dependencies",
        detail: `Order "${id}" could not be paid: payments answered 409`,
        requestId: headers["x-request-id"]
      })
      assert.notInclude(text, "secret")
      assert.strictEqual((yield* read).body.status, "placed")
      open = true
      assert.strictEqual((yield* pay()).status, 200)
      assert.strictEqual(new Set(payments.heard.map(({ headers }) => headers["idempotency-key"])).size, 2)
    }))

  it.live("says 503 when nobody answers there, and does not give the order up", () =>
    Effect.gen(function*() {
      const { id, pay, read } = yield* ordersBeside("http://127.0.0.1:1")
      const answer = yield* pay()
      assert.strictEqual(answer.status, 503)
      assert.strictEqual(answer.headers["content-type"], "application/problem+json")
      assert.strictEqual(answer.headers["retry-after"], "1")
      assert.deepInclude(answer.body, {
        type: "urn:problem:payment-pending",
        stage: "Dependencies",
        detail: `Order "${id}" is being paid, and payments has not answered yet. Ask again: it is charged once`,
        requestId: answer.headers["x-request-id"]
      })
      assert.strictEqual((yield* read).body.status, "paying")
    }))

  const broken: ReadonlyArray<readonly [string, (response: ServerResponse) => void]> = [
    ["fails", (response) => response.writeHead(500).end("stack trace with a secret")],
    ["is closed", (response) => response.writeHead(503, { "retry-after": "1" }).end()],
    ["answers with something else", (response) => response.writeHead(201).end("<html>secret</html>")],
    [
      "refuses for no reason of the payer's",
      (response) =>
        response.writeHead(409, { "content-type": "application/problem+json" })
          .end(JSON.stringify({ type: "urn:problem:idempotency-key-running", detail: "secret" }))
    ],
    ["hangs up", (response) => response.destroy()]
  ]
  for (const [name, answer] of broken) {
    it.live(`says 503, and nothing of what it heard, when payments ${name}, and pays once it is back`, () =>
      Effect.gen(function*() {
        let back = false
        const payments = yield* fakePayments((response, body) => back ? charged(response, body) : answer(response))
        const { pay, read } = yield* ordersBeside(payments.url)
        const { body, status, text } = yield* pay({ "x-request-id": "paying" })
        assert.strictEqual(status, 503)
        assert.strictEqual(body.type, "urn:problem:payment-pending")
        assert.notInclude(text, "secret")
        assert.strictEqual((yield* read).body.status, "paying")
        // Nobody asks orders again, and it asks payments all the same: for the request that began it, under its key.
        back = true
        yield* eventually(Effect.filterOrFail(
          read,
          ({ body }) => body.status === "paid",
          ({ text }) => new NotYet({ message: text })
        ))
        assert.strictEqual(new Set(payments.heard.map(({ headers }) => headers["idempotency-key"])).size, 1)
        assert.strictEqual(payments.heard.at(-1)?.headers["x-request-id"], "paying")
        assert.strictEqual((yield* pay()).status, 200)
      }))
  }

  it.live("gives up when the caller's time is up, and says so before the caller has gone", () =>
    Effect.gen(function*() {
      const payments = yield* fakePayments(() => {})
      const { pay } = yield* ordersBeside(payments.url)
      const before = performance.now()
      const { body, status } = yield* pay({ "x-request-timeout": "0.3" })
      assert.deepStrictEqual([status, body.type], [504, "urn:problem:deadline-exceeded"])
      assert.isBelow(performance.now() - before, 1000)
    }))
})
