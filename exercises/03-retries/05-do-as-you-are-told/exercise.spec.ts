import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Random } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { TestClock } from "effect/testing"
import { HttpClient, HttpClientResponse } from "effect/http"
import { check, expectFailure, expectSuccess, time } from "../../support.ts"
import { type Answer, asked, obey, obeyWithLibrary } from "./exercise.ts"

const patience = "10 minutes"
const hanging = "The call must come to an end."
const noon = Date.parse("Wed, 21 Oct 2015 12:00:00 GMT")

/** A payments service that answers from a list, stays with the last answer, and notes when it was asked. */
const payments = (...answers: ReadonlyArray<Answer>) => {
  const at: Array<number> = []
  const send = Effect.map(Clock.currentTimeMillis, (now): Answer => {
    at.push(now - noon)
    return answers[Math.min(at.length, answers.length) - 1]!
  })
  const client = HttpClient.make((request) =>
    Effect.map(send, ({ retryAfter, status }) =>
      HttpClientResponse.fromWeb(
        request,
        new Response(null, { status, headers: retryAfter === undefined ? {} : { "retry-after": retryAfter } })
      ))
  )
  return { at, send, client }
}

const run = <A, E>(effect: Effect.Effect<A, E>, seed = "03.5") =>
  Effect.andThen(TestClock.setTime(noon), time(Random.withSeed(effect, seed), { patience, sentence: hanging }))

const ok: Answer = { status: 200 }
const busy = (retryAfter?: string): Answer => ({ status: 503, ...(retryAfter === undefined ? {} : { retryAfter }) })

const between = (millis: number | undefined, from: number, to: number, what: string) =>
  check(
    millis !== undefined && millis >= from && millis <= to,
    `${what} must come after ${from} to ${to} ms. Seen: ${
      millis === undefined ? "none" : `after ${Math.round(millis)} ms`
    }.`
  )

describe("a: an answer that is final is handed over", () => {
  it.effect("200", () =>
    Effect.gen(function*() {
      const { at, send } = payments(ok)
      const { exit } = yield* run(obey(send))
      assert.strictEqual(
        expectSuccess(exit, "The status 200 is the answer.").status,
        200,
        "The answer must be handed over."
      )
      assert.deepEqual(at, [0], "A call that has its answer is made once.")
    }))

  for (const status of [400, 404, 500]) {
    it.effect(`${status} with Retry-After`, () =>
      Effect.gen(function*() {
        const { at, send } = payments({ status, retryAfter: "1" }, ok)
        const { exit } = yield* run(obey(send))
        assert.strictEqual(
          expectSuccess(exit, `The status ${status} is an answer.`).status,
          status,
          `The status ${status} is final here: hand it over.`
        )
        assert.deepEqual(at, [0], `The status ${status} is not worth repeating, whatever its headers say.`)
      }))
  }
})

describe("b: it waits as many seconds as it is told", () => {
  it.effect("503, seven seconds", () =>
    Effect.gen(function*() {
      const { at, send } = payments(busy("7"), ok)
      const { exit } = yield* run(obey(send))
      between(at[1], 7000, 8400, "Told to wait 7 s, the second attempt")
      assert.strictEqual(expectSuccess(exit, "The second attempt is answered.").status, 200, "Hand over the answer.")
    }))

  it.effect("429, one second", () =>
    Effect.gen(function*() {
      const { at, send } = payments({ status: 429, retryAfter: "1" }, ok)
      yield* run(obey(send))
      between(at[1], 1000, 1200, "Told to wait 1 s by a 429, the second attempt")
    }))

  it.effect("less than its own wait", () =>
    Effect.gen(function*() {
      const { at, send } = payments(busy("0"), busy("0"), ok)
      yield* run(obey(send))
      assert.deepEqual(at, [0, 100, 300], "Told to wait 0 s, it keeps its own 100 and 200 ms.")
    }))
})

describe("c: it reads a date, and what it cannot read asks for nothing", () => {
  const cases: ReadonlyArray<readonly [string, number | undefined]> = [
    ["120", 120_000],
    ["0", 0],
    ["Wed, 21 Oct 2015 12:00:07 GMT", 7000],
    ["Wed, 21 Oct 2015 11:59:00 GMT", 0],
    ["", undefined],
    ["soon", undefined],
    ["-5", undefined],
    ["1.5", undefined]
  ]
  for (const [value, millis] of cases) {
    it(JSON.stringify(value), () => {
      const wait = asked(value, noon)
      check(
        wait === millis,
        `At noon, "${value}" asks for ${millis === undefined ? "nothing (undefined)" : `${millis} ms`}. Seen: ${wait}.`
      )
    })
  }

  it.effect("503 with a date", () =>
    Effect.gen(function*() {
      const { at, send } = payments(busy("Wed, 21 Oct 2015 12:00:05 GMT"), ok)
      yield* run(obey(send))
      between(at[1], 5000, 6000, "Told to come back at five seconds past noon, the second attempt")
    }))
})

describe("d: told nothing, it waits 100, 200 and 400 ms", () => {
  for (const [name, value] of [["no header", undefined], ["what cannot be read", "soon"]] as const) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const { at, send } = payments(busy(value))
        const { exit } = yield* run(obey(send))
        const failure = expectFailure(exit, "Payments refuses four times.")
        assert.deepEqual(at, [0, 100, 300, 700], "Four attempts, 100, 200 and 400 ms apart.")
        assert.strictEqual(failure.reason, "attempts", "The attempts are used up.")
        assert.strictEqual(failure.last.status, 503, "The last answer must come along.")
      }))
  }
})

describe("e: it does not begin a wait that is in vain", () => {
  it.effect("two seconds left, seven asked for", () =>
    Effect.gen(function*() {
      const { at, send } = payments(busy("7"), ok)
      const { exit, seconds } = yield* run(Deadline.within(obey(send), "2 seconds"))
      const failure = expectFailure(exit, "Seven seconds do not fit into two.")
      check(
        failure._tag === "GaveUp" && failure.reason === "no time",
        `With 2 s left and 7 s asked for, the reason is "no time". Seen: ${failure._tag}.`
      )
      check(seconds === 0, `Whoever knows that it is in vain must say so at once. Seen: after ${seconds} s.`)
      assert.deepEqual(at, [0], "No second attempt can be made.")
    }))

  it.effect("its own wait does not fit either", () =>
    Effect.gen(function*() {
      const { at, send } = payments(busy())
      const { exit, seconds } = yield* run(Deadline.within(obey(send), "250 millis"))
      const failure = expectFailure(exit, "Payments refuses.")
      check(
        failure._tag === "GaveUp" && failure.reason === "no time",
        `150 ms are left and the wait is 200 ms: the reason is "no time". Seen: ${failure._tag}.`
      )
      assert.deepEqual(at, [0, 100], "The first wait fits, the second does not.")
      assert.strictEqual(seconds, 0.1, "It gives up when it knows, not when the time is over.")
    }))

  it.effect("thirty seconds, and one more", () =>
    Effect.gen(function*() {
      const patient = payments(busy("30"), ok)
      yield* run(obey(patient.send))
      between(patient.at[1], 30_000, 36_000, "Told to wait 30 s, the second attempt")
      const { exit } = yield* run(obey(payments(busy("31"), ok).send))
      const failure = expectFailure(exit, "Told to wait 31 s, it must give up: that is more than 30 s.")
      assert.strictEqual(failure.reason, "too long", "More than 30 s is too long.")
    }))

  it.effect("ten years", () =>
    Effect.gen(function*() {
      const { at, send } = payments(busy("315360000"))
      const { exit, seconds } = yield* run(obey(send))
      const failure = expectFailure(exit, "Nobody waits ten years.")
      assert.strictEqual(failure.reason, "too long", "More than 30 s is too long.")
      assert.strictEqual(failure.last.retryAfter, "315360000", "The last answer must come along.")
      assert.strictEqual(seconds, 0, "It must give up at once.")
      assert.deepEqual(at, [0], "No second attempt is made.")
    }))
})

describe("f: it does not come back together with everybody else", () => {
  it.effect("forty clients, told the same", () =>
    Effect.gen(function*() {
      const waits: Array<number> = []
      for (let client = 0; client < 40; client++) {
        const { at, send } = payments(busy("10"), ok)
        yield* run(obey(send), `client ${client}`)
        between(at[1], 10_000, 12_000, "Told to wait 10 s, the second attempt")
        waits.push(at[1]!)
      }
      check(
        new Set(waits).size > 20 && Math.max(...waits) - Math.min(...waits) > 1000,
        `Forty clients were told the same 10 s. They must spread over the fifth above it. Seen: all of them between ${
          Math.round(Math.min(...waits))
        } and ${Math.round(Math.max(...waits))} ms.`
      )
    }))
})

describe("g: the same with the library", () => {
  it.effect("seven seconds", () =>
    Effect.gen(function*() {
      const { at, client } = payments(busy("7"), ok)
      const { exit } = yield* run(obeyWithLibrary(client))
      between(at[1], 7000, 8400, "Told to wait 7 s, the second attempt")
      assert.strictEqual(expectSuccess(exit, "The second attempt is answered.").status, 200, "Hand over the answer.")
    }))

  it.effect("told nothing", () =>
    Effect.gen(function*() {
      const { at, client } = payments(busy())
      const { exit } = yield* run(obeyWithLibrary(client))
      assert.deepEqual(at.map(Math.round), [0, 100, 300, 700], "Four attempts, 100, 200 and 400 ms apart.")
      assert.strictEqual(expectSuccess(exit, "The library hands over the last answer.").status, 503, "It was 503.")
    }))

  it.effect("no time", () =>
    Effect.gen(function*() {
      const { at, client } = payments(busy("7"), ok)
      const { seconds } = yield* run(Effect.exit(Deadline.within(obeyWithLibrary(client), "2 seconds")))
      assert.deepEqual(at, [0], "With 2 s left and 7 s asked for, no second attempt can be made.")
      check(seconds === 0, `Whoever knows that it is in vain must say so at once. Seen: after ${seconds} s.`)
    }))

  it.effect("400 with Retry-After", () =>
    Effect.gen(function*() {
      const { at, client } = payments({ status: 400, retryAfter: "1" }, ok)
      yield* run(obeyWithLibrary(client))
      assert.deepEqual(at, [0], "The status 400 is not worth repeating, whatever its headers say.")
    }))
})
