import { assert, describe, it } from "@effect/vitest"
import { NodeHttpClient } from "@effect/platform-node"
import { Effect, Layer, Redacted, References, type Scope } from "effect"
import { Authentication, Idempotency, Problems, ServerStack } from "effect-lifecycle/server"
import * as NodeListener from "effect-lifecycle/server/NodeListener"
import { IdempotencyStore, MemoryStore } from "effect-lifecycle/store"
import { HttpServer } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { OrdersDomain } from "../../lessons/service/orders/handlers.ts"
import { OrdersApi, OrdersHttp } from "../../lessons/service/orders/http.ts"
import { PaymentsClient } from "../../lessons/service/shared/PaymentsClient.ts"
import { problems } from "../../lessons/service/shared/problems.ts"
import { UsersInbox } from "../../lessons/service/shared/UsersInbox.ts"
import { ask, newKey, order } from "./harness.ts"

interface Heard {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly headers: IncomingMessage["headers"]
  readonly body: string
}

/** Stands in for the payments service, and remembers what it was asked. */
const fakePayments = (
  answer: (response: ServerResponse, body: string) => void
): Effect.Effect<{ readonly url: string; readonly heard: ReadonlyArray<Heard> }, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly heard: ReadonlyArray<Heard>; readonly close: () => void }>(
      (resume) => {
        const heard: Array<Heard> = []
        const server = createServer((request, response) => {
          let body = ""
          request.on("data", (chunk: Buffer) => {
            body += String(chunk)
          })
          request.on("end", () => {
            heard.push({ method: request.method, url: request.url, headers: request.headers, body })
            answer(response, body)
          })
        })
        server.listen(0, "127.0.0.1", () => {
          const { port } = server.address() as AddressInfo
          const close = () => {
            server.closeAllConnections()
            server.close()
          }
          resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, heard, close }))
        })
      }
    ),
    ({ close }) => Effect.sync(close)
  )

/** The orders service alone, with its stores in memory, beside a payments service at `url`. */
const ordersBeside = Effect.fnUntraced(function*(url: string) {
  const listener = NodeListener.layer({ port: 0, gracePeriod: "100 millis" })
  const service = ServerStack.serve(HttpApiBuilder.layer(OrdersApi).pipe(Layer.provide(OrdersHttp)), {
    service: "orders",
    problems: Problems.stage({ table: problems }),
    idempotency: Idempotency.stage({ required: ["POST /orders"] })
  }).pipe(
    Layer.provide(OrdersDomain),
    Layer.provide([
      PaymentsClient.layer({ service: "orders", token: Redacted.make("token-of-orders"), url }),
      Layer.succeed(UsersInbox, { deliver: () => Effect.void })
    ]),
    Layer.provide([
      Layer.effect(Idempotency.IdempotencyRecords, IdempotencyStore.IdempotencyStore),
      Authentication.layerTokens(Redacted.make("token123:alice")),
      NodeHttpClient.layerUndici
    ]),
    Layer.provide([MemoryStore.layer, Layer.succeed(References.MinimumLogLevel, "None")]),
    Layer.provideMerge(listener)
  )
  const context = yield* Layer.build(service)
  const address = yield* Effect.provideContext(Effect.map(HttpServer.HttpServer, ({ address }) => address), context)
  const home = HttpServer.formatAddress(address)
  const placed = yield* ask(`${home}/orders`, {
    method: "POST",
    json: order("usr_1"),
    headers: { "idempotency-key": newKey() }
  })
  const id: string = placed.body.id
  return {
    id,
    pay: (headers: Readonly<Record<string, string>> = {}) =>
      ask(`${home}/orders/${id}/payment`, { method: "POST", headers }),
    read: ask(`${home}/orders/${id}`)
  }
})

const charged = (response: ServerResponse, body: string) => {
  const { amount, orderId, userId } = JSON.parse(body)
  response.writeHead(201, { "content-type": "application/json" })
    .end(JSON.stringify({ id: "pay_1", orderId, userId, amount, status: "charged" }))
}

describe("orders, beside payments", () => {
  it.live("asks with its own token, never the caller's, under the order's id, with less time than it has", () =>
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
      assert.strictEqual(headers["idempotency-key"], id)
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
      const { id, pay } = yield* ordersBeside(payments.url)
      assert.strictEqual((yield* pay()).status, 200)
      assert.deepStrictEqual(payments.heard.map(({ headers }) => headers["idempotency-key"]), [id, id])
    }))

  it.live("says 502 and leaves the order open when nobody answers there", () =>
    Effect.gen(function*() {
      const { id, pay, read } = yield* ordersBeside("http://127.0.0.1:1")
      const answer = yield* pay()
      assert.strictEqual(answer.status, 502)
      assert.strictEqual(answer.headers["content-type"], "application/problem+json")
      assert.deepInclude(answer.body, {
        type: "urn:problem:payment-failed",
        stage: "Dependencies",
        detail: `Order "${id}" could not be paid: payments could not be reached`,
        requestId: answer.headers["x-request-id"]
      })
      assert.strictEqual((yield* read).body.status, "placed")
    }))

  const broken: ReadonlyArray<readonly [string, (response: ServerResponse) => void]> = [
    ["fails", (response) => response.writeHead(500).end("stack trace with a secret")],
    ["is closed", (response) => response.writeHead(503, { "retry-after": "1" }).end()],
    ["answers with something else", (response) => response.writeHead(201).end("<html>secret</html>")],
    ["hangs up", (response) => response.destroy()]
  ]
  for (const [name, answer] of broken) {
    it.live(`says 502, and nothing of what it heard, when payments ${name}`, () =>
      Effect.gen(function*() {
        const payments = yield* fakePayments(answer)
        const { pay, read } = yield* ordersBeside(payments.url)
        const { body, status, text } = yield* pay()
        assert.strictEqual(status, 502)
        assert.strictEqual(body.type, "urn:problem:payment-failed")
        assert.notInclude(text, "secret")
        assert.strictEqual((yield* read).body.status, "placed")
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
