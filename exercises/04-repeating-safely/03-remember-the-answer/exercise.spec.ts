import { describe, it } from "@effect/vitest"
import { Data, Deferred, Effect, Exit, Fiber, Layer, Redacted, References } from "effect"
import { Authentication, Idempotency, ServerStack } from "effect-lifecycle/server"
import { HttpEffect, HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { NetAddress } from "effect/net"
import { TestClock } from "effect/testing"
import { check, expectSuccess } from "../../support.ts"
import { type Answer, type Handler, makeRecords, remember, type Request } from "./exercise.ts"

const order: Request = { user: "alice", key: "order-42", body: "12 euros" }

/** A handler that charges, and answers as the test says. */
const makeHandler = (answer: (n: number) => Effect.Effect<Answer, Error>) =>
  Effect.gen(function*() {
    let runs = 0
    const charge: Handler = () => Effect.suspend(() => answer(++runs))
    return { ask: remember(yield* makeRecords, charge), runs: () => runs }
  })

const charged = (n: number): Effect.Effect<Answer> =>
  Effect.succeed({ status: 201, headers: { location: `/payments/${n}` }, body: `charged ${n}` })

const ask = (handler: Handler, request: Request) =>
  Effect.map(Effect.exit(handler(request)), (exit) => expectSuccess(exit, "The request must be answered."))

const mustBeFirst = (answer: Answer, when: string) => {
  check(answer.status === 201 && answer.body === "charged 1", `${when} the answer must be the first one's.`)
  check(answer.headers["location"] === "/payments/1", `${when} the headers of the first answer must be there.`)
}

const mustBeReplayed = (answer: Answer, when: string) => {
  mustBeFirst(answer, when)
  check(answer.headers["idempotency-replayed"] === "true", `${when} the answer must say idempotency-replayed: true.`)
}

describe("a: the same again gets the same answer, and nobody else does", () => {
  it.effect("the same again", () =>
    Effect.gen(function*() {
      const { ask: handler, runs } = yield* makeHandler(charged)
      const first = yield* ask(handler, order)
      mustBeFirst(first, "For the first request")
      check(!("idempotency-replayed" in first.headers), "The first answer is not a replay, and must not say so.")
      for (let n = 0; n < 3; n++) mustBeReplayed(yield* ask(handler, order), "For the same request again")
      check(runs() === 1, `The order was charged ${runs()} times.`)
    }))

  it.effect("another body", () =>
    Effect.gen(function*() {
      const { ask: handler, runs } = yield* makeHandler(charged)
      yield* ask(handler, order)
      const { status } = yield* ask(handler, { ...order, body: "99 euros" })
      check(status === 422, `The same key with another body must be 422, not ${status}.`)
      check(runs() === 1, "The same key with another body must not run the handler.")
      mustBeReplayed(yield* ask(handler, order), "After a request with another body")
    }))

  it.effect("another user, another key", () =>
    Effect.gen(function*() {
      const { ask: handler, runs } = yield* makeHandler(charged)
      yield* ask(handler, order)
      const { body } = yield* ask(handler, { ...order, user: "bob" })
      check(body === "charged 2", "Another user with the same key must not see the first one's answer.")
      yield* ask(handler, { ...order, key: "order-43" })
      check(runs() === 3, "Another user and another key are orders of their own.")
    }))
})

describe("b: of ten at once one runs", () => {
  it.effect("the others are told to wait, and get the answer then", () =>
    Effect.gen(function*() {
      for (const steps of [3, 5, 2048]) {
        const gate = yield* Deferred.make<void>()
        const { ask: handler, runs } = yield* makeHandler((n) => Effect.andThen(Deferred.await(gate), charged(n)))
        const fibers = yield* Effect.forEach(Array.from({ length: 10 }), () =>
          // A fiber that may make so few steps in a row lets the others in between any two of them.
          Effect.forkChild(Effect.provideService(handler(order), References.MaxOpsBeforeYield, steps)))
        yield* Effect.yieldNow.pipe(Effect.repeat({ times: 2000 }))
        check(runs() === 1, `Ten requests at once with one key ran the handler ${runs()} times.`)
        const early = fibers.flatMap((fiber) => {
          const exit = fiber.pollUnsafe()
          return exit === undefined ? [] : [expectSuccess(exit, "Each of the ten must be answered.")]
        })
        for (const { headers, status } of early) {
          check(status === 409, `While the first one runs the others must be told 409, not ${status}.`)
          check(headers["retry-after"] === "1", "A 409 must say retry-after: 1.")
        }
        yield* Deferred.succeed(gate, undefined)
        const exits = yield* Effect.forEach(fibers, (fiber) => Fiber.await(fiber))
        const answers = exits.map((exit) => expectSuccess(exit, "Each of the ten must be answered."))
        check(answers.some(({ status }) => status === 201), "The one that ran must get its answer.")
        mustBeReplayed(yield* ask(handler, order), "When the first one has ended")
        check(runs() === 1, `Ten requests at once with one key ran the handler ${runs()} times.`)
      }
    }))
})

class DatabaseAway extends Data.TaggedError("DatabaseAway")<{}> {}

const endings: ReadonlyArray<readonly [string, Effect.Effect<Answer, Error>]> = [
  ["a 500", Effect.succeed({ status: 500, headers: {}, body: "" })],
  ["a 503", Effect.succeed({ status: 503, headers: {}, body: "" })],
  ["a failure", Effect.fail(new DatabaseAway())],
  ["a defect", Effect.die(new Error("a bug"))]
]

describe("c: what has not succeeded may be tried again", () => {
  for (const [name, ending] of endings) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const { ask: handler, runs } = yield* makeHandler((n) => n === 1 ? ending : charged(n))
        const first = yield* Effect.exit(handler(order))
        const expected = yield* Effect.exit(ending)
        check(first._tag === expected._tag, `The caller of the first request must get its ending: ${name}.`)
        const { status } = yield* ask(handler, order)
        check(status === 201 && runs() === 2, `After ${name} the same key must run again. Seen: ${status}.`)
      }))
  }

  it.effect("an interruption", () =>
    Effect.gen(function*() {
      const { ask: handler, runs } = yield* makeHandler((n) => n === 1 ? Effect.never : charged(n))
      const fiber = yield* Effect.forkChild(handler(order), { startImmediately: true })
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      const { status } = yield* ask(handler, order)
      check(status === 201 && runs() === 2, `After an interruption the same key must run again. Seen: ${status}.`)
    }))

  it.effect("a refusal is an answer", () =>
    Effect.gen(function*() {
      const refused = Effect.succeed({ status: 409, headers: {}, body: "sold out" })
      const { ask: handler, runs } = yield* makeHandler(() => refused)
      yield* ask(handler, order)
      const { body } = yield* ask(handler, order)
      check(body === "sold out" && runs() === 1, "A 409 that the handler chose is an answer: it must be kept.")
    }))
})

const key = { scope: "alice charge", key: "order-42" }
const claiming = { fingerprint: "f", lease: "10 seconds", timeToLive: "1 minute" } as const

describe("d: claims and answers end", () => {
  it.effect("a claim is lost with its lease", () =>
    Effect.gen(function*() {
      const records = yield* makeRecords
      const first = yield* records.claim(key, claiming)
      check(first._tag === "Claimed", "The first claim must be Claimed.")
      yield* TestClock.adjust(9999)
      const early = yield* records.claim(key, claiming)
      check(early._tag === "InProgress", `Before the lease is over the claim must be InProgress, not ${early._tag}.`)
      yield* TestClock.adjust(1)
      const second = yield* records.claim(key, claiming)
      check(second._tag === "Claimed", `When the lease is over the claim must be Claimed, not ${second._tag}.`)
      check(second.token !== first.token, "A claim that was lost and a new one must have different tokens.")
      check(!(yield* records.complete(key, first.token, "old")), "Whoever has lost the claim must be told false.")
      yield* records.release(key, first.token)
      const still = yield* records.claim(key, claiming)
      check(still._tag === "InProgress", `The old owner must change nothing: InProgress, and not ${still._tag}.`)
      check(yield* records.complete(key, second.token, "new"), "The owner of the claim must be told true.")
      const done = yield* records.claim(key, claiming)
      check(done._tag === "Completed" && done.answer === "new", "The answer must be that of the claim's owner.")
    }))

  it.effect("an answer is forgotten", () =>
    Effect.gen(function*() {
      const records = yield* makeRecords
      const first = yield* records.claim(key, claiming)
      check(first._tag === "Claimed", "The first claim must be Claimed.")
      yield* records.complete(key, first.token, "answer")
      yield* TestClock.adjust(59_999)
      const kept = yield* records.claim(key, claiming)
      check(kept._tag === "Completed", `Before its time is over an answer must be Completed, not ${kept._tag}.`)
      yield* TestClock.adjust(1)
      const forgotten = yield* records.claim(key, { ...claiming, fingerprint: "g" })
      check(forgotten._tag === "Claimed", `When its time is over the key must be free again, not ${forgotten._tag}.`)
    }))

  it.effect("a request holds its key for 90 seconds", () =>
    Effect.gen(function*() {
      const { ask: handler, runs } = yield* makeHandler((n) => n === 1 ? Effect.never : charged(n))
      yield* Effect.forkChild(handler(order), { startImmediately: true })
      yield* TestClock.adjust(89_999)
      const { status } = yield* ask(handler, order)
      check(
        status === 409,
        `A request that has been running for less than 90 seconds holds its key: 409, not ${status}.`
      )
      yield* TestClock.adjust(1)
      const next = yield* ask(handler, order)
      check(
        next.status === 201 && runs() === 2,
        `After 90 seconds the lease is over, and somebody else may run. Seen: ${next.status}.`
      )
    }))

  it.effect("an answer is kept for 24 hours", () =>
    Effect.gen(function*() {
      const { ask: handler, runs } = yield* makeHandler(charged)
      yield* ask(handler, order)
      yield* TestClock.adjust(24 * 3_600_000 - 1)
      mustBeReplayed(yield* ask(handler, order), "A moment before the 24 hours are over")
      yield* TestClock.adjust(1)
      yield* ask(handler, order)
      check(runs() === 2, "After 24 hours the answer is forgotten, and the same request runs again.")
    }))
})

/** The library's server, with the learner's records. */
const serve = Effect.gen(function*() {
  let answer: ((request: globalThis.Request) => Promise<Response>) | undefined
  let runs = 0
  const handler = Effect.sync(() =>
    ++runs === 2
      ? HttpServerResponse.text("", { status: 500 })
      : HttpServerResponse.text(`charged ${runs}`, { status: 201 })
  )
  const server = HttpServer.make({
    serve: (app) => Effect.sync(() => void (answer = HttpEffect.toWebHandler(app))),
    address: NetAddress.inetAddressUnsafe(NetAddress.ipv4Loopback, 80)
  })
  yield* Layer.build(
    ServerStack.serve(HttpRouter.add("POST", "/payments", handler), {
      service: "payments",
      idempotency: Idempotency.stage({ required: ["POST /payments"] })
    }).pipe(
      Layer.provide(Layer.effect(Idempotency.IdempotencyRecords, makeRecords)),
      Layer.provide(Authentication.layerTokens(Redacted.make("token-a:alice,token-b:bob"))),
      Layer.provide(Layer.succeed(HttpServer.HttpServer, server)),
      Layer.provide(HttpServer.layerServices)
    )
  )
  return (token: string, key: string, euros: number) =>
    Effect.promise(async () => {
      const response = await answer!(
        new Request("http://localhost/payments", {
          method: "POST",
          headers: { authorization: `Bearer ${token}`, "idempotency-key": key, "content-type": "application/json" },
          body: JSON.stringify({ euros })
        })
      )
      const text = await response.text()
      return { status: response.status, text, replayed: response.headers.get("idempotency-replayed") }
    })
})

describe("e: your records behind the library's stage", () => {
  it.effect("over HTTP", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(serve)
      check(Exit.isSuccess(exit), "The library's server must start with your records.")
      const pay = exit.value
      check((yield* pay("token-a", "order-42", 12)).text === "charged 1", "The first request must be charged.")
      const again = yield* pay("token-a", "order-42", 12)
      check(
        again.text === "charged 1" && again.replayed === "true",
        `Behind the library's server the same again must be a replay. Seen: ${again.status}, "${again.text}".`
      )
      const other = yield* pay("token-a", "order-42", 99)
      check(other.status === 422, `Behind the library's server another body must be 422, not ${other.status}.`)
      const bob = yield* pay("token-b", "order-42", 12)
      check(bob.status === 500, "Behind the library's server another user with the same key is another order.")
      const later = yield* pay("token-b", "order-42", 12)
      check(later.text === "charged 3", `After a 500 the key must be free again. Seen: ${later.status}.`)
    }))
})
