import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { HttpClient, type HttpClientRequest, HttpClientResponse } from "effect/http"
import { check, expectSuccess, time } from "../../support.ts"
import { makePayments, makePaymentsWithLibrary, type Payments } from "./exercise.ts"

interface Sent {
  readonly method: string
  readonly path: string
  readonly key: string | undefined
}

/** A service behind a gateway: it does what it is asked to, and the gateway then loses the first `lost` answers. */
const makeGateway = (options: { readonly lost: number; readonly status?: number }) => {
  const sent: Array<Sent> = []
  const kept = new Set<string>()
  let charges = 0
  let refunds = 0
  const perform = ({ key, method, path }: Sent): void => {
    if (method !== "POST" || options.status !== undefined) return
    if (path === "/refunds") refunds++
    else if (key === undefined || !kept.has(key)) charges++
    if (key !== undefined) kept.add(key)
  }
  const client = HttpClient.make((request: HttpClientRequest.HttpClientRequest) =>
    Effect.sync(() => {
      const one = {
        method: request.method,
        path: new URL(request.url).pathname,
        key: request.headers["idempotency-key"]
      }
      sent.push(one)
      perform(one)
      const status = sent.length <= options.lost ? 503 : options.status ?? (request.method === "POST" ? 201 : 200)
      return HttpClientResponse.fromWeb(request, new Response(null, { status }))
    })
  )
  return { client, sent, charges: () => charges, refunds: () => refunds }
}

const statusOf = (payments: Payments, call: (payments: Payments) => ReturnType<Payments["find"]>, sentence: string) =>
  Effect.gen(function*() {
    const { exit } = yield* time(call(payments), { patience: "1 minute", sentence })
    return expectSuccess(exit, sentence).status
  })

const healing = (make: (client: HttpClient.HttpClient) => Payments) =>
  Effect.gen(function*() {
    for (const lost of [0, 1, 2]) {
      const { charges, client, sent } = makeGateway({ lost })
      const sentence = `A charge must be answered, also where the gateway loses ${lost} answers.`
      const status = yield* statusOf(make(client), ({ charge }) => charge(500), sentence)
      assert.strictEqual(
        charges(),
        1,
        `With ${lost} of the answers lost, the card must be charged once, not ${charges()} times.`
      )
      assert.strictEqual(
        status,
        201,
        `With ${lost} of the answers lost, one more try of the charge brings the answer.`
      )
      assert.strictEqual(sent.length, lost + 1, `With ${lost} of the answers lost, ${lost + 1} tries are enough.`)
    }
  })

const oneKeyAnOperation = (make: (client: HttpClient.HttpClient) => Payments) =>
  Effect.gen(function*() {
    const { charges, client, sent } = makeGateway({ lost: 1 })
    const payments = make(client)
    const pay = payments.charge(500)
    yield* statusOf(payments, () => pay, "A charge must be answered, also where the gateway loses one answer.")
    const first = sent.map(({ key }) => key)
    check(
      first.length > 0 && first.every((key) => key !== undefined && key !== ""),
      "Each try of a charge needs a key."
    )
    assert.strictEqual(new Set(first).size, 1, "All tries of one charge must carry the same key.")
    yield* statusOf(payments, ({ charge }) => charge(500), "A second charge must be answered.")
    check(
      sent.at(-1)?.key !== first[0],
      "A second charge of the same amount is a new operation and needs a key of its own, or it is never made."
    )
    assert.strictEqual(charges(), 2, "Two customers paid 500 cents each, so there must be two charges.")
    yield* statusOf(payments, () => pay, "The same effect, run again, must be answered.")
    check(sent.at(-1)?.key !== first[0], "Each run of a charge is an operation of its own, so it needs a new key.")
  })

const refundedOnce = (make: (client: HttpClient.HttpClient) => Payments) =>
  Effect.gen(function*() {
    const { client, refunds, sent } = makeGateway({ lost: 1 })
    yield* statusOf(make(client), ({ refund }) => refund(500), "A refund must be answered, be it with 503.")
    assert.strictEqual(sent.length, 1, "A refund must be sent once: the service keeps no keys for refunds.")
    assert.strictEqual(refunds(), 1, "The money must be paid back once.")
  })

const readsAgain = (make: (client: HttpClient.HttpClient) => Payments) =>
  Effect.gen(function*() {
    const { client, sent } = makeGateway({ lost: 2 })
    const status = yield* statusOf(make(client), ({ find }) => find("c1"), "Reading a charge must be answered.")
    assert.strictEqual(status, 200, "Reading is safe, so it must be tried again when the answer is lost.")
    assert.strictEqual(sent.length, 3, "Two lost answers make three tries.")
  })

const decidedIsFinal = (make: (client: HttpClient.HttpClient) => Payments) =>
  Effect.gen(function*() {
    for (const status of [409, 422]) {
      const { client, sent } = makeGateway({ lost: 0, status })
      const seen = yield* statusOf(make(client), ({ charge }) => charge(500), `A ${status} must reach the caller.`)
      assert.strictEqual(seen, status, `The caller must see the ${status}.`)
      assert.strictEqual(sent.length, 1, `A ${status} is the service's decision; the same request gets the same again.`)
    }
  })

describe("a: reading is tried again, and a decision is not", () => {
  it.effect("two answers to a GET are lost", () => readsAgain(makePayments))
  it.effect("409 and 422", () => decidedIsFinal(makePayments))
})

describe("b: however many answers are lost, the card is charged once", () => {
  it.effect("0, 1 and 2 lost answers", () => healing(makePayments))
})

describe("c: one key for all tries of an operation, another one for the next", () => {
  it.effect("two charges of the same amount", () => oneKeyAnOperation(makePayments))
})

describe("d: what has no key is sent once", () => {
  it.effect("a refund", () => refundedOnce(makePayments))
})

describe("e: the same with the library's ClientStack", () => {
  it.effect("0, 1 and 2 lost answers", () => healing(makePaymentsWithLibrary))
  it.effect("two charges of the same amount", () => oneKeyAnOperation(makePaymentsWithLibrary))
  it.effect("a refund", () => refundedOnce(makePaymentsWithLibrary))
  it.effect("two answers to a GET are lost", () => readsAgain(makePaymentsWithLibrary))
  it.effect("409 and 422", () => decidedIsFinal(makePaymentsWithLibrary))
})
