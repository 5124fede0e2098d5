import { describe, it } from "@effect/vitest"
import { type Context, Deferred, Effect, Fiber, Layer, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { HttpEffect, HttpServer, type HttpServerRequest } from "effect/http"
import { NetAddress } from "effect/net"
import { check } from "../../support.ts"
import { serve } from "./exercise.ts"
import { bugMessage, makeWorld, type Weather } from "./shop.ts"

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

interface Ask {
  readonly method?: string
  readonly path?: string
  readonly token?: string | undefined
  readonly key?: string | undefined
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

const card = "4111222233334444"
const dune = { book: "dune", copies: 2, card }

// Specs that share a thread watch once.
const digests = Symbol.for("effect-lifecycle/exercises/digests")
const shared = globalThis as { [digests]?: Set<Promise<unknown>> }

// The fingerprint of a body is made on another thread, which knows nothing of the test clock: the clock has to wait for it.
const watchDigests = (): Set<Promise<unknown>> => {
  const running = new Set<Promise<unknown>>()
  const { subtle } = globalThis.crypto
  const digest = subtle.digest.bind(subtle)
  Object.defineProperty(subtle, "digest", {
    configurable: true,
    value: (...args: Parameters<typeof digest>) => {
      const one = digest(...args)
      const ended = () => void running.delete(one)
      running.add(one)
      one.then(ended, ended)
      return one
    }
  })
  return running
}

const digesting = shared[digests] ??= watchDigests()

const immediate = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Lets the promises of the web handler run, which no clock moves, until three turns in a row have nothing to digest. */
const turn = Effect.promise(async () => {
  for (let quiet = 0; quiet < 3; quiet++) {
    await immediate()
    if (digesting.size === 0) continue
    await Promise.allSettled(digesting)
    quiet = -1
  }
})

/** Moves the test clock in small steps, and lets everybody run at each. */
const pass = (millis: number) =>
  Effect.gen(function*() {
    yield* turn
    for (let at = 0; at < millis; at += 10) {
      yield* TestClock.adjust(10)
      yield* turn
    }
    yield* turn
  })

const start = (weather: Weather = {}) =>
  Effect.gen(function*() {
    const made = makeWorld(weather)
    const opened = yield* Deferred.make<(request: Request) => Promise<Response>>()
    const listener = HttpServer.make({
      address: NetAddress.inetAddressUnsafe(NetAddress.ipv4Loopback, 80),
      serve: (app) =>
        Effect.contextWith((context: Context.Context<never>) =>
          Deferred.succeed(
            opened,
            HttpEffect.toWebHandlerWith<never, HttpServerRequest.HttpServerRequest | Scope.Scope>(context)(app)
          )
        )
    })
    yield* Layer.build(Layer.provide(serve(made.world), Layer.succeed(HttpServer.HttpServer, listener)))
    const handler = yield* Deferred.await(opened)

    const ask = ({ body, headers, key, method = "GET", path = "/orders", token = "token-a" }: Ask) =>
      Effect.promise(async (signal): Promise<Answer> => {
        const response = await handler(
          new Request(`http://shop.test${path}`, {
            method,
            headers: {
              ...(token === "" ? {} : { authorization: `Bearer ${token}` }),
              ...(key === undefined ? {} : { "idempotency-key": key }),
              ...(body === undefined ? {} : { "content-type": "application/json" }),
              ...headers
            },
            ...(body === undefined ? {} : { body: JSON.stringify(body) }),
            signal
          })
        )
        return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() }
      })

    const post = (asked: Ask = {}) => ask({ method: "POST", key: "k-1", body: dune, ...asked })

    /** The answer, once it is there; at most 8 seconds later. */
    const within = (request: Effect.Effect<Answer>, patience = 8000) =>
      Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(request, { startImmediately: true })
        for (let at = 0; at <= patience && fiber.pollUnsafe() === undefined; at += 50) yield* pass(50)
        check(fiber.pollUnsafe() !== undefined, `there must be an answer within ${patience} ms, and there is none.`)
        return yield* Fiber.join(fiber)
      })

    const order = (asked: Ask = {}, patience?: number) => within(post(asked), patience)
    const updates = (path: string, asked: Ask = {}) => within(ask({ path: `${path}/updates`, ...asked }))
    const lines = () => made.lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
    return { ...made, ask, post, order, updates, within, parsed: lines }
  })

type Started = Effect.Success<ReturnType<typeof start>>

/** A scenario: its name stands before whatever went wrong. */
const scenario = (
  name: string,
  weather: Weather,
  run: (shop: Started) => Effect.Effect<unknown, never, Scope.Scope>
) =>
  it.effect(name, () =>
    Effect.flatMap(start(weather), run).pipe(
      Effect.catchDefect((defect) =>
        Effect.die(new Error(`"${name}": ${defect instanceof Error ? defect.message : String(defect)}`))
      )
    ))

const is = ({ body, status }: Answer, expected: number, what: string) => {
  const title = /"title":"([^"]+)"/.exec(body)?.[1]
  check(
    status === expected,
    `${what} must be answered with ${expected}, not with ${status}${title === undefined ? "" : ` (${title})`}.`
  )
}

const waitSaid = (answer: Answer) =>
  check(
    /^[1-9]\d*$/.test(answer.headers["retry-after"] ?? ""),
    `a ${answer.status} must say when to come back, in whole seconds, and says ${answer.headers["retry-after"]}.`
  )

const times = (n: number) => Array.from({ length: n }, (_, index) => index)

describe("a: correctness", () => {
  scenario("An order is placed", {}, ({ charged, order, saved }) =>
    Effect.gen(function*() {
      const answer = yield* order()
      is(answer, 201, "an order")
      const { cents, id } = JSON.parse(answer.body) as { readonly id: string; readonly cents: number }
      check(answer.headers["location"] === `/orders/${id}`, `the answer must say where the order ${id} is.`)
      check(cents === 2400, `two copies at 1200 cost 2400, not ${cents}.`)
      check([...charged.values()].join() === "2400", `the card must be charged 2400, not ${[...charged.values()]}.`)
      const kept = saved.get(id)
      check(kept !== undefined, "what was answered must be saved.")
      check(kept.customer === "alice" && kept.copies === 2, "the order must be saved with who, what and how many.")
    }))

  scenario("A customer names the price", {}, ({ charged, order }) =>
    Effect.gen(function*() {
      is(yield* order({ body: { ...dune, cents: 1, price: 1 } }), 201, "an order with fields that nobody asked for")
      check([...charged.values()].join() === "2400", "the shop makes the price, whatever the body says.")
    }))

  scenario("Two faults in one body", {}, ({ calls, order }) =>
    Effect.gen(function*() {
      const answer = yield* order({ body: { ...dune, book: "none", copies: 0 } })
      is(answer, 422, "a body with two faults")
      check(answer.body.includes("/book") && answer.body.includes("/copies"), "both faults must be told at once.")
      check(calls.length === 0, "nobody may be charged for it.")
    }))

  scenario("One copy, ten, and eleven", {}, ({ calls, order }) =>
    Effect.gen(function*() {
      is(yield* order({ key: "k-1", body: { ...dune, copies: 1 } }), 201, "an order of one copy")
      is(yield* order({ key: "k-10", body: { ...dune, copies: 10 } }), 201, "an order of ten copies")
      is(yield* order({ key: "k-11", body: { ...dune, copies: 11 } }), 422, "an order of eleven copies")
      check(calls.map(({ cents }) => cents).join() === "1200,12000", "one and ten must be charged, and eleven not.")
    }))

  scenario("The same key again", {}, ({ calls, order, saved }) =>
    Effect.gen(function*() {
      const first = yield* order()
      const second = yield* order()
      check(first.status === 201 && second.status === 201, "both must be told 201.")
      check(first.body === second.body, `the second answer must be the first, ${first.body}, not ${second.body}.`)
      check(second.headers["idempotency-replayed"] === "true", "it must say that it was replayed.")
      check(calls.length === 1 && saved.size === 1, "it must be charged and saved once.")
    }))

  scenario("A key with another body, and none", {}, ({ calls, order }) =>
    Effect.gen(function*() {
      yield* order()
      is(yield* order({ body: { ...dune, copies: 3 } }), 422, "a key that came with another body")
      is(yield* order({ key: undefined }), 400, "an order without a key")
      check(calls.length === 1, "neither may be charged.")
    }))

  scenario("A declined card", { moods: ["declines"] }, ({ order, saved }) =>
    Effect.gen(function*() {
      is(yield* order(), 402, "a declined card")
      check(saved.size === 0, "an order that was not paid must not be saved.")
    }))

  scenario("The story of an order", {}, ({ order, updates }) =>
    Effect.gen(function*() {
      const { headers } = yield* order()
      const told = yield* updates(headers["location"] ?? "/orders/none")
      is(told, 200, "the story of one's own order")
      check(
        (told.headers["content-type"] ?? "").startsWith("text/event-stream"),
        "updates must be sent as text/event-stream."
      )
      check(
        told.body === "id: 1\ndata: placed\n\nid: 2\ndata: packed\n\nid: 3\ndata: sent\n\n",
        `three events were expected, in order. Seen: ${JSON.stringify(told.body)}.`
      )
    }))
})

describe("b: resilience", () => {
  scenario("Payments is away twice", { moods: ["away", "away"] }, ({ calls, order }) =>
    Effect.gen(function*() {
      is(yield* order(), 201, "an order whose third attempt succeeds")
      check(calls.length === 3, `payments must be asked three times, not ${calls.length}.`)
      const waits = calls.slice(1).map((call, n) => call.at - (calls[n]?.at ?? 0) - 30)
      const [first = 0, second = 0] = waits
      check(first >= 70 && first <= 160, `before the second attempt it must wait about 100 ms, not ${first}.`)
      check(second >= 140 && second <= 300, `before the third attempt it must wait about 200 ms, not ${second}.`)
    }))

  scenario(
    "Payments stays away",
    { moods: ["away", "away", "away", "away"] },
    ({ calls, order, saved }) =>
      Effect.gen(function*() {
        const answer = yield* order()
        is(answer, 503, "an order without payments")
        waitSaid(answer)
        check(calls.length === 3, `payments must be asked three times at most, not ${calls.length}.`)
        check(saved.size === 0, "an order that was not paid must not be saved.")
      })
  )

  scenario("A declined card is not asked again", { moods: ["declines"] }, ({ calls, order }) =>
    Effect.gen(function*() {
      is(yield* order(), 402, "a declined card")
      check(calls.length === 1, `the bank has said no, and it was asked ${calls.length} times.`)
    }))

  scenario("An attempt hangs", { moods: ["hangs"] }, ({ calls, order }) =>
    Effect.gen(function*() {
      is(yield* order({}, 3000), 201, "an order whose first attempt hangs")
      check(calls.length === 2, `payments must be asked twice, not ${calls.length} times.`)
      const between = (calls[1]?.at ?? 0) - (calls[0]?.at ?? 0)
      check(
        between >= 1070 && between <= 1200,
        `an attempt has 1 s, and the wait is about 100 ms: the second attempt was made after ${between} ms.`
      )
    }))

  scenario("A short deadline", { moods: ["hangs"] }, ({ interrupted, order }) =>
    Effect.gen(function*() {
      const answer = yield* order({ headers: { "x-request-timeout": "0.5" } }, 600)
      is(answer, 504, "an order whose caller waits half a second")
      check(interrupted() === 1, "the charge must be given up with it.")
    }))

  scenario(
    "An answer is lost, and the attempt is repeated",
    { moods: ["lost"] },
    ({ charged, order }) =>
      Effect.gen(function*() {
        is(yield* order(), 201, "an order whose first answer was lost")
        check(charged.size === 1, `one order was charged ${charged.size} times.`)
      })
  )

  scenario(
    "A customer comes back after a 503",
    { moods: ["lost", "lost", "lost"] },
    ({ charged, order, saved }) =>
      Effect.gen(function*() {
        is(yield* order(), 503, "an order with three lost answers")
        is(yield* order(), 201, "the same order a moment later")
        check(charged.size === 1, `one order was charged ${charged.size} times.`)
        check(saved.size === 1, "it must be saved once.")
      })
  )

  scenario(
    "Payments is down",
    { moods: times(5).map(() => "away" as const) },
    ({ calls, order }) =>
      Effect.gen(function*() {
        yield* order({ key: "k-1" })
        is(yield* order({ key: "k-2" }), 503, "an order while payments is down")
        check(
          calls.length === 5,
          `after five failures in a row payments is left alone; it was asked ${calls.length} times.`
        )
        const refused = yield* order({ key: "k-3" }, 100)
        is(refused, 503, "an order while payments is left alone")
        waitSaid(refused)
        check(calls.length === 5, "nobody may ask while payments is left alone.")
        yield* TestClock.adjust("10 seconds")
        is(yield* order({ key: "k-4" }), 201, "an order ten seconds later")
      })
  )

  scenario(
    "Declined cards close nothing",
    { moods: times(6).map(() => "declines" as const) },
    ({ order }) =>
      Effect.gen(function*() {
        for (const n of times(6)) is(yield* order({ key: `k-${n}` }), 402, "a declined card")
        is(yield* order({ key: "good" }), 201, "a good card after six bad ones")
      })
  )

  scenario("The live feed breaks", { liveBreaksAfter: 2 }, ({ order, updates }) =>
    Effect.gen(function*() {
      const { headers } = yield* order()
      const told = yield* updates(headers["location"] ?? "/orders/none")
      const ids = [...told.body.matchAll(/^id: (\d+)$/gm)].map((found) => found[1]).join()
      check(ids === "1,2,3", `every event must be told once, in order. Seen: ${ids}.`)
    }))
})

describe("c: observability", () => {
  scenario("One id from the answer to payments", {}, ({ calls, order, parsed }) =>
    Effect.gen(function*() {
      const answer = yield* order()
      is(answer, 201, "an order")
      const id = answer.headers["x-request-id"]
      check(id !== undefined && id !== "", "the answer must have its x-request-id.")
      check(
        calls[0]?.headers["x-request-id"] === id,
        "payments must be sent the id of the answer."
      )
      const placed = parsed().filter((line) => line["message"] === "order placed")
      check(placed.length === 1, `one line must say "order placed", not ${placed.length}.`)
      check(placed[0]?.["request_id"] === id, "the line \"order placed\" must have the id of the answer.")
    }))

  scenario("An access line", {}, ({ order, parsed }) =>
    Effect.gen(function*() {
      const answer = yield* order()
      is(answer, 201, "an order")
      const access = parsed().filter((line) => line["message"] === "request")
      check(access.length === 1, `one request has one access line, not ${access.length}.`)
      const { path, request_id, status, user_id } = access[0] ?? {}
      check(request_id === answer.headers["x-request-id"], "the access line must have the id of the answer.")
      check(path === "/orders" && status === 201, `it must say path and status, and says ${path} and ${status}.`)
      check(user_id === "alice", `it must say whose order it was, and says ${user_id}.`)
    }))

  scenario("An attempt that failed", { moods: ["away", "away"] }, ({ order, parsed }) =>
    Effect.gen(function*() {
      const answer = yield* order()
      const warnings = parsed().filter((line) => line["level"] === "WARN")
      check(warnings.length === 2, `two attempts failed, and there are ${warnings.length} warnings.`)
      check(
        warnings.every((line) => line["request_id"] === answer.headers["x-request-id"]),
        "each warning must have the id of its request."
      )
    }))

  scenario("What is left of the time", { moods: ["away"] }, ({ calls, order }) =>
    Effect.gen(function*() {
      yield* order({ headers: { "x-request-timeout": "2" } })
      const left = calls.map((call) => Number(call.headers["x-request-timeout"] ?? Number.NaN))
      check((left[0] ?? 9) <= 2 && (left[0] ?? 0) > 1.5, `payments must be told that 2 s are left, not ${left[0]}.`)
      check((left[1] ?? 9) < (left[0] ?? 0), `the second attempt has less time than the first, and is told ${left[1]}.`)
    }))

  scenario("Five seconds at most", {}, ({ calls, order }) =>
    Effect.gen(function*() {
      yield* order({ key: "k-1" })
      yield* order({ key: "k-2", headers: { "x-request-timeout": "60" } })
      const left = calls.map((call) => Number(call.headers["x-request-timeout"] ?? Number.NaN))
      for (const seconds of left) {
        check(seconds <= 5 && seconds > 4.5, `payments must be told that 5 s are left, not ${seconds}.`)
      }
      check(left.length === 2, `both orders must be charged, and ${left.length} were.`)
    }))

  scenario("A refusal explains itself", { moods: ["away", "away", "away"] }, ({ order }) =>
    Effect.gen(function*() {
      const answer = yield* order()
      is(answer, 503, "an order without payments")
      check(
        (answer.headers["content-type"] ?? "").startsWith("application/problem+json"),
        "a refusal must be a problem document."
      )
      const { requestId, stage } = JSON.parse(answer.body) as Readonly<Record<string, unknown>>
      check(requestId === answer.headers["x-request-id"], "the problem must have the id of its request.")
      check(typeof stage === "string", "the problem must say at which stage it stopped.")
    }))

  scenario("A bug", { moods: ["bug"] }, ({ order, parsed }) =>
    Effect.gen(function*() {
      const answer = yield* order()
      is(answer, 500, "an order that meets a bug")
      const told = parsed().filter((line) => JSON.stringify(line).includes(bugMessage))
      check(told.length >= 1, "the log must say what the bug was.")
      check(
        told.some((line) => line["level"] === "ERROR" && line["request_id"] === answer.headers["x-request-id"]),
        "the line about the bug must be an ERROR, with the id of its request."
      )
    }))
})

describe("d: safety", () => {
  scenario("Nobody in particular", {}, ({ calls, order, updates }) =>
    Effect.gen(function*() {
      is(yield* order({ token: "" }), 401, "an order without a token")
      is(yield* order({ token: "guess" }), 401, "an order with a wrong token")
      is(yield* updates("/orders/o-1", { token: "" }), 401, "a question without a token")
      check(calls.length === 0, "nobody may be charged for it.")
    }))

  scenario("Somebody else's order", {}, ({ order, updates }) =>
    Effect.gen(function*() {
      const { headers } = yield* order()
      const path = headers["location"] ?? "/orders/o-1"
      const stranger = yield* updates(path, { token: "token-b" })
      const nothing = yield* updates("/orders/o-999", { token: "token-b" })
      is(stranger, 404, "a question about somebody else's order")
      is(nothing, 404, "a question about an order that is not there")
      const title = ({ body }: Answer) => JSON.parse(body).title + JSON.parse(body).detail
      check(title(stranger) === title(nothing), "both must be told the same, or Bob learns that the order exists.")
    }))

  scenario("Two customers with the same key", {}, ({ charged, order, saved }) =>
    Effect.gen(function*() {
      const alice = yield* order()
      const bob = yield* order({ token: "token-b" })
      check(alice.status === 201 && bob.status === 201, `both must be told 201, not ${alice.status} and ${bob.status}.`)
      check(alice.body !== bob.body && saved.size === 2, "Bob must get an order of his own, not Alice's answer.")
      check(charged.size === 2, `two orders are charged twice, not ${charged.size} times.`)
    }))

  scenario("Ten at once with one key", {}, ({ charged, post, saved }) =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(
        Effect.forEach(times(10), () => post(), { concurrency: "unbounded" }),
        { startImmediately: true }
      )
      yield* pass(500)
      const statuses = (yield* Fiber.join(fiber)).map((answer) => answer.status)
      check(statuses.filter((status) => status === 201).length === 1, `one of ten must be 201. Seen: ${statuses}.`)
      check(charged.size === 1 && saved.size === 1, `ten at once were charged ${charged.size} times.`)
    }))

  const cardIsNowhere = (name: string, weather: Weather, body: unknown, expected: number) =>
    scenario(name, weather, ({ lines, order }) =>
      Effect.gen(function*() {
        const answer = yield* order({ body })
        is(answer, expected, "the order")
        check(!answer.body.includes(card), "the card must not be in the answer.")
        check(!lines.some((line) => line.includes(card)), "the card must not be in the log.")
      }))

  cardIsNowhere("The card of an order that is placed", {}, dune, 201)
  cardIsNowhere("The card of an order that failed", { moods: ["away", "bug"] }, dune, 500)
  cardIsNowhere("A card with a digit too many", {}, { ...dune, card: `${card}5` }, 422)

  scenario("A bug tells nothing", { moods: ["bug"] }, ({ order }) =>
    Effect.gen(function*() {
      const answer = yield* order()
      is(answer, 500, "an order that meets a bug")
      check(!answer.body.includes("10.0.0.7"), "what the bug says is for the log alone.")
    }))

  scenario(
    "A customer leaves during the charge",
    { moods: ["hangs"] },
    ({ interrupted, order, post, saved }) =>
      Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(post(), { startImmediately: true })
        yield* pass(100)
        yield* Fiber.interrupt(fiber)
        yield* pass(100)
        check(interrupted() === 1 && saved.size === 0, "the charge must be stopped.")
        is(yield* order(), 201, "the same order a moment later")
      })
  )

  scenario("A customer leaves after the charge", {}, ({ charged, post, saved }) =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(post(), { startImmediately: true })
      yield* pass(40)
      check(charged.size === 1, "an order must be charged 30 ms after it came in.")
      const early = saved.size > 0
      check(!early, "an order must not be saved before it is charged.")
      yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
      yield* pass(200)
      check(saved.size === 1, "what was charged must be saved, also when the customer does not wait for it.")
    }))
})
