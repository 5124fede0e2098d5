import { describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Result } from "effect"
import { TestClock } from "effect/testing"
import { RateLimits, ServerStack } from "effect-lifecycle/server"
import { type Ask, open } from "../../serve.ts"
import { check } from "../../support.ts"
import { doors, refusalOf } from "./exercise.ts"
import { type Answer, openShop, types } from "./shop.ts"

/** Lets the promises of the web handler run, which no clock moves. */
const turn = Effect.promise(async () => {
  for (let n = 0; n < 4; n++) await new Promise<void>((resolve) => setImmediate(resolve))
})

const pass = (millis: number) => Effect.andThen(turn, Effect.andThen(TestClock.adjust(millis), turn))

/** The gateway is what the shop sees at the other end of the socket. */
const gateway = "10.0.0.1"

const visit = (millis: number) =>
  Effect.gen(function*() {
    const { people, routes, seen } = openShop(millis)
    const client = yield* open(
      ServerStack.serve(routes, doors).pipe(Layer.provide([people, RateLimits.layerMemory()]))
    )
    let visitors = 0
    /** Asks as somebody, from an address of their own unless it says otherwise. */
    const ask = (what: string, who: string, address?: string) => {
      const [method = "GET", path = "/"] = what.split(" ")
      const request: Ask = {
        method,
        path,
        peer: gateway,
        headers: {
          authorization: `Bearer ${who}`,
          "x-forwarded-for": address ?? `203.0.${Math.floor(visitors / 200)}.${1 + (visitors++ % 200)}`
        }
      }
      return client(request)
    }
    const send = (what: string, who: string) =>
      Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(ask(what, `token-${who}`), { startImmediately: true })
        yield* turn
        return { what: `${what} of ${who}`, fiber }
      })
    return { ask, send, seen }
  })

type Sent = { readonly what: string; readonly fiber: Fiber.Fiber<Answer> }

/** The answer, which has to be there by now. */
const answered = ({ fiber, what }: Sent, sentence: string) =>
  Effect.gen(function*() {
    check(fiber.pollUnsafe() !== undefined, `${what} must have its answer: ${sentence}. It still waits.`)
    return yield* Fiber.join(fiber)
  })

const waits = ({ fiber, what }: Sent, sentence: string): void => {
  const ended = fiber.pollUnsafe()
  const status = ended?._tag === "Success" ? ended.value.status : "nothing"
  check(ended === undefined, `${what} must wait: ${sentence}. It was answered with ${status}.`)
}

const expectStatus = (answer: Answer, status: number, sentence: string): void =>
  check(answer.status === status, `${sentence} The status must be ${status}, and it is ${answer.status}.`)

const members = (header: string | undefined, prefix: string): ReadonlyArray<string> =>
  (header ?? "").split(", ").filter((member) => member.startsWith(prefix))

describe("a: whoever signs in is served", () => {
  it.effect("on every route", () =>
    Effect.gen(function*() {
      const { ask } = yield* visit(0)
      for (const what of ["GET /orders", "POST /orders", "POST /notices"]) {
        expectStatus(yield* ask(what, "token-alice"), 200, `Alice asks ${what} for the first time.`)
      }
      expectStatus(yield* ask("GET /orders", "token"), 401, "Nobody has this token.")
    }))
})

describe("b: a full house turns away the least urgent first, and at no cost", () => {
  const full = Effect.gen(function*() {
    const shop = yield* visit(1000)
    const inside: Array<Sent> = []
    for (const who of ["ada", "ben", "cy", "dee"]) inside.push(yield* shop.send("GET /orders", who))
    check(shop.seen.begun.length === 4, `The shop works on four at once. Begun: ${shop.seen.begun.length}.`)
    return { ...shop, inside }
  })

  it.effect("four at once, the others wait, the most urgent first", () =>
    Effect.gen(function*() {
      const { inside, seen, send } = yield* full
      const report = yield* send("GET /reports/today", "eve")
      const list = yield* send("GET /orders", "fay")
      const order = yield* send("POST /orders", "gus")
      for (const one of [report, list, order]) waits(one, "the house is full")
      yield* pass(1000)
      for (const one of inside) expectStatus(yield* answered(one, "its second is over"), 200, `${one.what} was inside.`)
      const next = seen.begun.slice(4).join(", ")
      check(
        next === "order of gus, list of fay, report of eve",
        `An order goes before a list, and a list before a report, whoever came first. Begun: ${next}.`
      )
    }))

  it.effect("a full queue gives up a report", () =>
    Effect.gen(function*() {
      const { send } = yield* full
      const first = yield* send("GET /orders", "eve")
      const report = yield* send("GET /reports/today", "fay")
      const second = yield* send("GET /orders", "gus")
      const third = yield* send("GET /orders", "hal")
      for (const one of [first, report, second, third]) waits(one, "four may")
      const late = yield* send("GET /reports/today", "ida")
      expectStatus(
        yield* answered(late, "the queue is full"),
        503,
        "Four wait, and nobody is less urgent than a report."
      )
      const order = yield* send("POST /orders", "joe")
      const shed = yield* answered(report, "an order takes its place")
      expectStatus(shed, 503, "An order finds four who wait, one of them for a report: the report gives up its place.")
      check(
        /^[1-9]\d*$/.test(shed.headers["retry-after"] ?? ""),
        `A 503 says when to come back. Retry-After: ${shed.headers["retry-after"] ?? "nothing"}.`
      )
      for (const one of [first, second, third, order]) waits(one, "it is more urgent than what was given up")
      const again = yield* send("POST /orders", "kim")
      waits(again, "an order is more urgent than the list that came last")
      expectStatus(yield* answered(third, "an order takes its place"), 503, "Of several lists the newest gives up.")
    }))

  it.effect("nobody waits longer than two seconds", () =>
    Effect.gen(function*() {
      const { send } = yield* visit(10_000)
      for (const who of ["ada", "ben", "cy", "dee"]) yield* send("GET /orders", who)
      const order = yield* send("POST /orders", "eve")
      yield* pass(1900)
      waits(order, "two seconds are not over")
      yield* pass(200)
      expectStatus(yield* answered(order, "two seconds are over"), 503, "Whoever waits too long is told so.")
    }))

  it.effect("a notice never waits", () =>
    Effect.gen(function*() {
      const { seen, send } = yield* full
      for (const who of ["eve", "fay", "gus", "hal"]) yield* send("POST /orders", who)
      const notice = yield* send("POST /notices", "paco")
      check(seen.begun.includes("notice of paco"), "A notice of the payment company must begin, however full it is.")
      yield* pass(1000)
      expectStatus(yield* answered(notice, "its second is over"), 200, "A notice is taken.")
    }))

  it.effect("whoever is turned away has cost nothing", () =>
    Effect.gen(function*() {
      const { ask, inside, seen, send } = yield* full
      for (const who of ["eve", "fay", "gus", "hal"]) yield* send("POST /orders", who)
      const before = seen.lookups
      for (let n = 0; n < 30; n++) {
        expectStatus(yield* ask("GET /orders", "token-zoe", "198.51.100.9"), 503, "Zoe finds the queue full.")
      }
      check(
        seen.lookups === before && before === inside.length,
        `Four are inside, and for all others nobody looks up a token. Tokens looked up: ${seen.lookups}.`
      )
      yield* pass(1000)
      yield* pass(1000)
      const calm = yield* send("GET /orders", "zoe")
      yield* pass(1000)
      const answer = yield* answered(calm, "it is calm again")
      expectStatus(answer, 200, "Zoe was turned away thirty times; these were no calls.")
      const [left] = members(answer.headers["ratelimit"], "\"user\"")
      check(
        left === undefined || left.startsWith("\"user\";r=9;"),
        `Zoe has used one call: nobody counts a call that was turned away. RateLimit: ${left}.`
      )
    }))
})

describe("c: an address is counted before a token is looked up", () => {
  it.effect("two hundred guesses", () =>
    Effect.gen(function*() {
      const { ask, seen } = yield* visit(0)
      const address = "198.51.100.66"
      for (let n = 0; n < 200; n++) {
        // What the client wrote into the header stands before what the gateway added.
        const from = n % 2 === 0 ? address : `192.0.2.${n}, ${address}`
        const answer = yield* ask("GET /orders", `guess-${n}`, from)
        expectStatus(answer, n < 60 ? 401 : 429, `Guess ${n + 1} within a minute, with X-Forwarded-For: ${from}.`)
      }
      check(
        seen.lookups === 60,
        `Beyond the limit nobody looks up a token. Of 200 guesses ${seen.lookups} were looked up.`
      )
      const refused = yield* ask("GET /orders", "guess-200", address)
      check(
        refused.headers["retry-after"] === "1",
        `Sixty a minute are one a second, so it is Retry-After: 1 and not ${refused.headers["retry-after"]}.`
      )
      expectStatus(yield* ask("GET /orders", "token-alice", "198.51.100.67"), 200, "Another address is not the first.")
      yield* pass(1000)
      expectStatus(yield* ask("GET /orders", "guess-201", address), 401, "A second later one call has come back.")
    }))

  it.effect("an office of thirty", () =>
    Effect.gen(function*() {
      const { ask } = yield* visit(0)
      for (let n = 0; n < 60; n++) {
        const answer = yield* ask("GET /orders", `token-clerk${n % 30}`, "198.51.100.7")
        expectStatus(answer, 200, `Thirty people of one office ask twice within a minute; this is call ${n + 1}.`)
      }
      expectStatus(yield* ask("GET /orders", "token-clerk1", "198.51.100.7"), 429, "Call 61 of the office.")
      expectStatus(yield* ask("GET /orders", "token-clerk1", "198.51.100.8"), 200, "The clerk has used two calls.")
    }))

  it.effect("every answer says the limit", () =>
    Effect.gen(function*() {
      const { ask } = yield* visit(0)
      const answer = yield* ask("GET /orders", "guess", "198.51.100.66")
      const policy = answer.headers["ratelimit-policy"] ?? "nothing"
      check(
        members(policy, "\"address\";q=60;w=60").length === 1,
        `The limit of an address is 60 in 60 s and says so to a stranger, too. RateLimit-Policy: ${policy}.`
      )
    }))
})

describe("d: a user is counted after that, by what a call costs", () => {
  it.effect("from many addresses", () =>
    Effect.gen(function*() {
      const { ask } = yield* visit(0)
      for (let n = 0; n < 10; n++) {
        expectStatus(yield* ask("GET /orders", "token-alice"), 200, `Call ${n + 1} of Alice within a minute.`)
      }
      const refused = yield* ask("GET /orders", "token-alice")
      expectStatus(refused, 429, "Call 11 of Alice, from an eleventh address: she is one user, wherever she is.")
      check(
        refused.headers["retry-after"] === "6",
        `Ten a minute come back one by one, so it is Retry-After: 6 and not ${refused.headers["retry-after"]}.`
      )
      expectStatus(yield* ask("GET /orders", "token-bob"), 200, "Bob has asked for nothing yet.")
      yield* pass(6000)
      expectStatus(yield* ask("GET /orders", "token-alice"), 200, "Six seconds later one call has come back.")
      expectStatus(yield* ask("GET /orders", "token-alice"), 429, "One call, and not all ten.")
    }))

  it.effect("a report counts as five", () =>
    Effect.gen(function*() {
      const { ask } = yield* visit(0)
      expectStatus(yield* ask("GET /reports/monday", "token-alice"), 200, "Five of ten calls are used by a report.")
      for (let n = 0; n < 5; n++) {
        expectStatus(yield* ask("GET /orders", "token-alice"), 200, `After one report, call ${n + 1} of five.`)
      }
      expectStatus(yield* ask("GET /orders", "token-alice"), 429, "A report and five calls are ten.")
      expectStatus(yield* ask("GET /reports/monday", "token-bob"), 200, "The first report of Bob.")
      expectStatus(yield* ask("GET /reports/monday", "token-bob"), 200, "Two reports are ten calls.")
      expectStatus(yield* ask("GET /reports/monday", "token-bob"), 429, "The third report of Bob within a minute.")
    }))

  it.effect("notices are not counted", () =>
    Effect.gen(function*() {
      const { ask } = yield* visit(0)
      for (let n = 0; n < 40; n++) {
        expectStatus(yield* ask("POST /notices", "token-paco"), 200, `Notice ${n + 1} of the payment company.`)
      }
      for (let n = 0; n < 10; n++) {
        expectStatus(yield* ask("GET /orders", "token-paco"), 200, `After forty notices, call ${n + 1} of ten.`)
      }
      expectStatus(yield* ask("GET /orders", "token-paco"), 429, "Call 11, of whoever sends notices.")
    }))

  it.effect("strangers use up nobody's calls", () =>
    Effect.gen(function*() {
      const { ask } = yield* visit(0)
      for (let n = 0; n < 50; n++) expectStatus(yield* ask("GET /orders", "guess"), 401, "Nobody has this token.")
      for (let n = 0; n < 10; n++) {
        expectStatus(yield* ask("GET /orders", "token-alice"), 200, `After fifty strangers, call ${n + 1} of Alice.`)
      }
      expectStatus(yield* ask("GET /orders", "token-alice"), 429, "Call 11 of Alice within a minute.")
    }))
})

describe("e: a client knows which door it was, and when to come back", () => {
  const told = (answer: Answer, expected: string, sentence: string): void => {
    const read = Result.try(() => refusalOf(answer))
    check(Result.isSuccess(read), `${sentence} refusalOf must say "${expected}", and it throws.`)
    const refusal = read.success
    const seen = refusal === undefined ? "no door" : `${refusal.door}, ${refusal.waitSeconds} s`
    check(seen === expected, `${sentence} This is "${expected}", and refusalOf says "${seen}".`)
  }

  const problem = (status: number, document: object, after?: string): Answer => ({
    status,
    headers: { "content-type": "application/problem+json", ...after !== undefined && { "retry-after": after } },
    body: JSON.stringify({ title: "Something was refused", status, requestId: "r-1", ...document })
  })

  it("doors", () => {
    told(problem(503, { type: types.overloaded, stage: "Middleware" }, "3"), "admission, 3 s", "The house is full.")
    told(
      problem(429, { type: types.quota, "violated-policies": ["address"] }, "1"),
      "address, 1 s",
      "The address has used up its calls."
    )
    told(
      problem(429, { type: types.quota, "violated-policies": ["user"] }, "17"),
      "user, 17 s",
      "The user has used up all calls."
    )
  })

  it("what only looks like a door", () => {
    told(problem(503, { type: "urn:problem:payments-away" }, "5"), "no door", "A handler says 503: payments is away.")
    told(
      problem(429, { type: "urn:problem:card-tried-too-often" }, "60"),
      "no door",
      "A handler says 429 about a card."
    )
    told(
      problem(429, { type: types.quota, "violated-policies": ["parcels"] }, "60"),
      "no door",
      "A limit that none of the doors has."
    )
    told(problem(401, { type: "about:blank" }), "no door", "Nobody has this token.")
    told({ status: 200, headers: {}, body: "[]" }, "no door", "Nothing was refused.")
    told(
      { status: 503, headers: { "retry-after": "9" }, body: "<h1>503 Service Unavailable</h1>" },
      "no door",
      "A proxy before the shop speaks HTML."
    )
    told({ status: 200, headers: {}, body: "null" }, "no door", "The answer is null, as JSON.")
  })

  it.effect("answers of the shop", () =>
    Effect.gen(function*() {
      const { ask } = yield* visit(0)
      for (let n = 0; n < 10; n++) yield* ask("GET /orders", "token-alice")
      told(yield* ask("GET /orders", "token-alice"), "user, 6 s", "Call 11 of Alice within a minute.")
      for (let n = 0; n < 60; n++) yield* ask("GET /orders", "guess", "198.51.100.66")
      told(yield* ask("GET /orders", "guess", "198.51.100.66"), "address, 1 s", "Guess 61 of a stranger.")
      told(yield* ask("GET /orders", "guess"), "no door", "A stranger who has just come gets a 401.")
    }))
})
