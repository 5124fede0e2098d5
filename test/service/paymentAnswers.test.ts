/** What whoever pays is told when a payment does not just succeed, and what the desk can do about it. */
import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Stream } from "effect"
import { Saga } from "effect-lifecycle/domain"
import { EventStore, SagaStore } from "effect-lifecycle/store"
import { HttpClient, HttpClientRequest } from "effect/http"
import { RpcClient, RpcSerialization } from "effect/rpc"
import type { ServerResponse } from "node:http"
import { DeskRpc } from "../../lessons/service/orders/desk.ts"
import { PayOrder } from "../../lessons/service/orders/payment.ts"
import { charged, fakePayments, ordersBeside } from "./besidePayments.ts"
import { type Answer, ask, eventually, NotYet } from "./harness.ts"

const isProblem = (answer: Answer, status: number, type: string) => {
  assert.strictEqual(answer.status, status, answer.text)
  assert.strictEqual(answer.headers["content-type"], "application/problem+json")
  assert.deepInclude(answer.body, { status, type: `urn:problem:${type}`, requestId: answer.headers["x-request-id"] })
}

/** Payments that can be away, or hold an answer back, or not give money back. */
const moody = Effect.gen(function*() {
  const mood = { away: false, waits: false, keepsMoney: false }
  const held: Array<() => void> = []
  const payments = yield* fakePayments((response: ServerResponse, body) => {
    if (body === "") {
      response.writeHead(mood.keepsMoney ? 500 : 200, { "content-type": "application/json" }).end("{}")
    } else if (mood.away) {
      response.writeHead(500).end()
    } else if (mood.waits) {
      held.push(() => charged(response, body))
    } else {
      charged(response, body)
    }
  })
  const of = (path: RegExp) => payments.heard.filter(({ url = "" }) => path.test(url))
  return {
    mood,
    url: payments.url,
    go: Effect.sync(() => {
      mood.waits = false
      for (const answer of held.splice(0)) answer()
    }),
    /** The keys under which money was asked for, and the payments that were given back. */
    keys: () => [...new Set(of(/^\/payments$/).map(({ headers }) => String(headers["idempotency-key"])))],
    refunds: () => of(/refund$/).length
  }
})

/** Orders whose sagas, while `tired`, have as many vain attempts behind them as are allowed. */
const tiring = () => {
  const worker = { tired: false }
  const layer = Layer.effect(
    SagaStore.SagaStore,
    Effect.map(SagaStore.SagaStore, (store) =>
      SagaStore.SagaStore.of({
        ...store,
        work: (options) =>
          store.work({
            ...options,
            handle: (held) => options.handle(worker.tired ? { ...held, saga: { ...held.saga, attempts: 101 } } : held)
          })
      }))
  )
  return { worker, layer }
}

/** An order whose payment was asked for in vain until it was parked. */
const parked = Effect.gen(function*() {
  const payments = yield* moody
  const { layer, worker } = tiring()
  const orders = yield* ordersBeside(payments.url, layer)
  payments.mood.away = true
  const first = yield* orders.pay()
  isProblem(first, 503, "payment-pending")
  assert.deepInclude(first.body, { paymentState: "charging" })
  worker.tired = true
  const [waiting] = yield* Saga.parked({ sagas: [PayOrder] }).pipe(
    Effect.filterOrFail((found) => found.length === 1, () => new NotYet({ message: "it is not parked" })),
    eventually,
    Effect.provideContext(orders.context)
  )
  assert.strictEqual(waiting!.reason, "Exhausted")
  return { ...orders, payments, worker, attempt: waiting!.id }
})

const inside = <A, E>(
  self: Effect.Effect<A, E, SagaStore.SagaStore>,
  { context }: { readonly context: Context.Context<SagaStore.SagaStore> }
) => Effect.provideContext(self, context)

const olga = { token: "token789" }

const settle = (home: string, attempt: string, json: object) =>
  ask(`${home}/desk/payments/${attempt}/settlement`, { method: "POST", json, ...olga })

describe("a payment that waits for a person", () => {
  it.live("is taken up again by the customer who repeats it, under the same key, and is charged once", () =>
    Effect.gen(function*() {
      const { pay, payments, worker } = yield* parked
      worker.tired = false
      payments.mood.away = false
      const paid = yield* pay()
      assert.strictEqual(paid.status, 200, paid.text)
      assert.deepInclude(paid.body, { status: "paid", paymentId: "pay_1" })
      assert.lengthOf(payments.keys(), 1)
      assert.strictEqual((yield* pay()).text, paid.text)
    }))

  it.live("says that it is asked on when the repeat was in vain too, and ends without another one", () =>
    Effect.gen(function*() {
      const { pay, payments, read, worker } = yield* parked
      worker.tired = false
      const again = yield* pay()
      isProblem(again, 503, "payment-pending")
      assert.deepInclude(again.body, { paymentState: "charging" })
      assert.strictEqual(again.headers["retry-after"], "1")
      payments.mood.away = false
      yield* eventually(Effect.filterOrFail(
        read,
        ({ body }) => body.status === "paid",
        ({ text }) => new NotYet({ message: text })
      ))
      assert.lengthOf(payments.keys(), 1)
    }))

  it.live("says so, at once and each time, when it cannot go on", () =>
    Effect.gen(function*() {
      const { id, pay, payments, read } = yield* parked
      payments.mood.away = false
      for (const _ of [1, 2]) {
        const answer = yield* Effect.timeout(pay(), "5 seconds")
        isProblem(answer, 503, "payment-pending")
        assert.strictEqual(answer.headers["retry-after"], "60")
        assert.deepInclude(answer.body, {
          paymentState: "held",
          detail:
            `The payment of order "${id}" waits for somebody who looks after it. Do not pay in another way; ask again later`
        })
      }
      assert.strictEqual((yield* read).body.status, "paying")
      const together = yield* Effect.all([pay(), pay(), pay()], { concurrency: "unbounded" })
      assert.deepStrictEqual(together.map(({ status }) => status), [503, 503, 503])
    }))

  it.live("is no refusal when a person has ended it and the order does not say how", () =>
    Effect.gen(function*() {
      const orders = yield* parked
      assert.isTrue(yield* inside(Saga.abandon(PayOrder, orders.attempt, "looked at by phone"), orders))
      const answer = yield* orders.pay()
      isProblem(answer, 503, "payment-pending")
      assert.deepInclude(answer.body, { paymentState: "held" })
      // Its journal is kept for a month, and the order longer.
      yield* inside(Effect.flatMap(SagaStore.SagaStore, (store) => store.prune(0)), orders)
      assert.deepInclude((yield* orders.pay()).body, { paymentState: "held" })
    }))
})

describe("a payment that is cancelled", () => {
  it.live("is refused to everybody who waits for it, gives the money back, and can be paid anew", () =>
    Effect.gen(function*() {
      const payments = yield* moody
      payments.mood.waits = true
      const orders = yield* ordersBeside(payments.url)
      const { id, pay, read } = orders
      const callers = yield* Effect.forkChild(Effect.all([pay(), pay(), pay()], { concurrency: "unbounded" }))
      yield* eventually(Effect.filterOrFail(
        read,
        ({ body }) => body.status === "paying" && payments.keys().length === 1,
        () => new NotYet({ message: "nobody pays" })
      ))
      const running = yield* inside(
        Effect.flatMap(SagaStore.SagaStore, (store) => store.list({ states: ["running"] })),
        orders
      )
      assert.isTrue(yield* inside(Saga.cancel(PayOrder, running[0]!.id, "the customer rang"), orders))
      yield* payments.go
      for (const answer of yield* Fiber.join(callers)) {
        isProblem(answer, 502, "payment-failed")
        assert.strictEqual(answer.body.detail, `Order "${id}" could not be paid: the payment was cancelled`)
      }
      assert.strictEqual(payments.refunds(), 1)
      assert.strictEqual((yield* read).body.status, "placed")

      const anew = yield* pay()
      assert.strictEqual(anew.status, 200, anew.text)
      assert.lengthOf(payments.keys(), 2)
      assert.strictEqual(payments.refunds(), 1)
    }))

  it.live("is said to be undone for as long as the money is not given back", () =>
    Effect.gen(function*() {
      const payments = yield* moody
      payments.mood.waits = true
      payments.mood.keepsMoney = true
      const orders = yield* ordersBeside(payments.url)
      const { pay, read } = orders
      const caller = yield* Effect.forkChild(pay())
      yield* eventually(Effect.suspend(() =>
        payments.keys().length === 1 ? Effect.void : Effect.fail(new NotYet({ message: "nobody pays" }))
      ))
      const running = yield* inside(
        Effect.flatMap(SagaStore.SagaStore, (store) =>
          store.list({ states: ["running"] })),
        orders
      )
      yield* inside(Saga.cancel(PayOrder, running[0]!.id, "the customer rang"), orders)
      yield* payments.go
      for (const answer of [yield* Fiber.join(caller), yield* pay()]) {
        isProblem(answer, 503, "payment-pending")
        assert.deepInclude(answer.body, { paymentState: "undoing" })
      }
      payments.mood.keepsMoney = false
      yield* eventually(Effect.filterOrFail(
        read,
        ({ body }) => body.status === "placed",
        ({ text }) => new NotYet({ message: text })
      ))
      assert.strictEqual((yield* pay()).status, 200)
      assert.lengthOf(payments.keys(), 2)
    }))
})

/** An order whose payment was undone until the refund was given up. */
const refundInDoubt = Effect.gen(function*() {
  const payments = yield* moody
  payments.mood.waits = true
  payments.mood.keepsMoney = true
  const orders = yield* ordersBeside(payments.url)
  const caller = yield* Effect.forkChild(orders.pay())
  yield* eventually(
    Effect.suspend(() =>
      payments.keys().length === 1 ? Effect.void : Effect.fail(new NotYet({ message: "nobody pays" }))
    )
  )
  const store = yield* inside(SagaStore.SagaStore, orders)
  const [running] = yield* store.list({ states: ["running"] })
  const attempt = running!.id
  yield* inside(Saga.cancel(PayOrder, attempt, "the customer rang"), orders)
  yield* payments.go
  isProblem(yield* Fiber.join(caller), 503, "payment-pending")
  // The last of the vain attempts, which would take an hour.
  const last = store.amend({ name: PayOrder.name, id: attempt }, ["compensating"], ({ steps }) =>
    Effect.succeed({
      state: "compensating",
      steps: steps.flatMap((step) => step.state === "undoWaiting" ? [{ ...step, state: "stuck" }] : []),
      releaseMillis: 0,
      progress: true
    }))
  assert.isTrue(yield* last)
  yield* eventually(Effect.filterOrFail(
    inside(Saga.parked({ sagas: [PayOrder] }), orders),
    ([waiting]) => waiting?.reason === "CompensationFailed" && waiting.step === "charge",
    (found) => new NotYet({ message: JSON.stringify(found) })
  ))
  return { ...orders, payments, attempt }
})

describe("an order whose refund is in doubt", () => {
  it.live("is not charged again, and whoever asks is told who has to look at it", () =>
    Effect.gen(function*() {
      const { attempt, home, id, pay, payments, read } = yield* refundInDoubt
      for (const headers of [{}, { "idempotency-key": "anew" }]) {
        const answer = yield* pay(headers)
        isProblem(answer, 409, "refund-in-doubt")
        assert.deepInclude(answer.body, {
          title: "Refund in doubt",
          attempt,
          desk: "/desk/payments",
          detail:
            `Order "${id}" was charged, and nobody knows whether the money was given back. It is not charged again until somebody at the desk has resumed or settled the attempt "${attempt}"`
        })
      }
      assert.lengthOf(payments.keys(), 1)
      assert.strictEqual((yield* read).body.status, "paying")
      const cancelled = yield* ask(`${home}/orders/${id}/cancellation`, { method: "POST" })
      isProblem(cancelled, 409, "order-closed")
    }))

  it.live("can be paid again once the desk has had the refund tried again, and it went through", () =>
    Effect.gen(function*() {
      const { attempt, home, pay, payments, read } = yield* refundInDoubt
      payments.mood.keepsMoney = false
      // Asking is not enough: it would tell the customer to wait for what nobody looks at.
      const before = payments.refunds()
      yield* pay()
      assert.strictEqual(payments.refunds(), before)
      const resumed = yield* ask(`${home}/desk/payments/${attempt}/resumption`, { method: "POST", ...olga })
      assert.strictEqual(resumed.status, 204, resumed.text)
      yield* eventually(Effect.filterOrFail(
        read,
        ({ body }) => body.status === "placed",
        ({ text }) => new NotYet({ message: text })
      ))
      assert.strictEqual((yield* pay()).status, 200)
      assert.lengthOf(payments.keys(), 2)
    }))

  it.live("is free, or paid, once the desk has settled it", () =>
    Effect.gen(function*() {
      const one = yield* refundInDoubt
      assert.strictEqual((yield* settle(one.home, one.attempt, { reason: "given back by hand" })).status, 204)
      assert.strictEqual((yield* one.read).body.status, "placed")
      assert.strictEqual((yield* one.pay()).status, 200)
      assert.lengthOf(one.payments.keys(), 2)

      const two = yield* refundInDoubt
      const kept = { reason: "the customer keeps the book", paymentId: "pay_1" }
      assert.strictEqual((yield* settle(two.home, two.attempt, kept)).status, 204)
      assert.deepInclude((yield* two.pay()).body, { status: "paid", paymentId: "pay_1" })
      assert.lengthOf(two.payments.keys(), 1)
    }))
})

describe("payments of one order at once", () => {
  it.live("are one charge, and each caller is told what became of it", () =>
    Effect.gen(function*() {
      const payments = yield* moody
      payments.mood.waits = true
      const { pay } = yield* ordersBeside(payments.url)
      // Some have a key of their own, and one has no time.
      const headers = [{}, { "idempotency-key": "mine" }, { "idempotency-key": "other" }, {}, {}]
      const callers = yield* Effect.forkChild(Effect.forEach(headers, pay, { concurrency: "unbounded" }))
      const hasty = yield* pay({ "x-request-timeout": "0.5" })
      assert.strictEqual(hasty.status, 504, hasty.text)
      yield* payments.go
      const answers = yield* Fiber.join(callers)
      assert.deepStrictEqual(answers.map(({ status }) => status), [200, 200, 200, 200, 200])
      assert.deepStrictEqual(new Set(answers.map(({ body }) => body.paymentId)), new Set(["pay_1"]))
      assert.strictEqual((yield* pay({ "idempotency-key": "mine" })).text, answers[1]!.text)
      assert.lengthOf(payments.keys(), 1)
      assert.strictEqual(payments.refunds(), 0)
    }))
})

describe("the desk", () => {
  it.live("is for those with the scope alone, by each way in", () =>
    Effect.gen(function*() {
      const { home } = yield* ordersBeside((yield* moody).url)
      for (const [method, path] of [["GET", "payments"], ["POST", "rpc"], ["POST", "payments/x/resumption"]] as const) {
        isProblem(yield* ask(`${home}/desk/${path}`, { method }), 403, "insufficient-scope")
        isProblem(yield* ask(`${home}/desk/${path}`, { method, token: null }), 401, "unauthorized")
      }
      assert.deepStrictEqual((yield* ask(`${home}/desk/payments`, olga)).body, [])
      const { body } = yield* ask(`${home}/desk/openapi.json`, olga)
      assert.deepStrictEqual(Object.keys(body.paths).sort(), [
        "/desk/payments",
        "/desk/payments/{attempt}/cancellation",
        "/desk/payments/{attempt}/resumption",
        "/desk/payments/{attempt}/settlement"
      ])
    }))

  it.live("shows what waits, and has it tried again", () =>
    Effect.gen(function*() {
      const { attempt, home, id, pay, payments, read, worker } = yield* parked
      const { body } = yield* ask(`${home}/desk/payments`, olga)
      assert.lengthOf(body, 1)
      assert.deepInclude(body[0], { attempt, orderId: id, reason: "Exhausted", step: "charge" })
      assert.match(body[0].message, /^100 attempts in a row came to no end: .*payments/)
      worker.tired = false
      payments.mood.away = false
      const resume = ask(`${home}/desk/payments/${attempt}/resumption`, { method: "POST", ...olga })
      assert.strictEqual((yield* resume).status, 204)
      yield* eventually(Effect.filterOrFail(
        read,
        ({ body }) => body.status === "paid",
        ({ text }) => new NotYet({ message: text })
      ))
      assert.strictEqual((yield* pay()).status, 200)
      isProblem(yield* resume, 409, "nothing-to-do")
      isProblem(yield* settle(home, attempt, { reason: "no" }), 409, "nothing-to-do")
      isProblem(yield* settle(home, attempt, { reason: "" }), 422, "invalid-request")
    }))

  it.live("settles an order as paid or as not paid, and the customer is told so", () =>
    Effect.gen(function*() {
      const one = yield* parked
      const paid = { reason: "found in the bank's list", paymentId: "pay_77" }
      assert.strictEqual((yield* settle(one.home, one.attempt, paid)).status, 204)
      const { body, status } = yield* one.pay()
      assert.deepStrictEqual([status, body.status, body.paymentId], [200, "paid", "pay_77"])

      const two = yield* parked
      // Ended by hand before; then the order is settled all the same.
      yield* inside(Saga.abandon(PayOrder, two.attempt, "looked at by phone"), two)
      assert.strictEqual((yield* settle(two.home, two.attempt, { reason: "never charged" })).status, 204)
      assert.strictEqual((yield* two.read).body.status, "placed")
      two.worker.tired = false
      two.payments.mood.away = false
      assert.strictEqual((yield* two.pay()).status, 200)
      assert.lengthOf(two.payments.keys(), 2)
    }))

  it.live("does the same over RPC, with the same typed errors", () =>
    Effect.gen(function*() {
      const orders = yield* parked
      const { attempt, home, id, read } = orders
      const protocol = yield* Layer.build(
        RpcClient.layerProtocolHttp({
          url: `${home}/desk/rpc`,
          transformClient: HttpClient.mapRequest(HttpClientRequest.bearerToken(olga.token))
        }).pipe(Layer.provide([NodeHttpClient.layerUndici, RpcSerialization.layerJson]))
      )
      const client = yield* Effect.provideContext(RpcClient.make(DeskRpc, { flatten: true }), protocol)
      const [waiting] = yield* client("desk.Waiting", undefined)
      assert.deepInclude(waiting, { attempt, orderId: id, reason: "Exhausted" })
      const missing = yield* Effect.flip(client("desk.Resume", { attempt: "attempt_none" }))
      assert.deepInclude(missing, { _tag: "NothingToDo", attempt: "attempt_none", wanted: "resumed" })
      yield* client("desk.Settle", { attempt, reason: "found in the bank's list", paymentId: "pay_78" })
      assert.deepInclude((yield* read).body, { status: "paid", paymentId: "pay_78" })
      // Who settled it is kept, as it is over HTTP.
      const store = Context.get(orders.context, EventStore.EventStore)
      const events = yield* Stream.runCollect(store.read({ category: "Order", id }))
      const paid = events.at(-1)
      assert.strictEqual(paid?.type, "OrderPaid")
      assert.isDefined(paid?.meta["requestId"])
      assert.deepInclude(paid?.meta, { actor: "olga", correlationId: paid?.meta["requestId"] })
    }))
})
