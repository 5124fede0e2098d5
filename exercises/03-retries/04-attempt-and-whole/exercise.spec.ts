import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Schedule } from "effect"
import { expectFailure, expectSuccess, time } from "../../support.ts"
import { type Call, charge, chargeWithLibrary, type Failure, Unavailable } from "./exercise.ts"

const patience = "1 minute"
const hanging = "The charge must be given up after 3 s, but it hangs."

/** Machines that note when they were asked, in seconds, and what became of it. */
const machines = (answer: (attempt: number) => Call) => {
  const starts: Array<number> = []
  const cut = { count: 0 }
  const call: Call = Effect.flatMap(Clock.currentTimeMillis, (now) => {
    starts.push(now / 1000)
    return Effect.onInterrupt(answer(starts.length), () => Effect.sync(() => cut.count++))
  })
  return { starts, cut, call }
}

const hangs = (): Call => Effect.never
const fails = (): Call => Effect.fail(new Unavailable())
const run = (effect: Effect.Effect<string, Failure>) => time(effect, { patience, sentence: hanging })
const exponential = Schedule.exponential("200 millis")

describe("a: a healthy call is made once", () => {
  it.effect("900 ms", () =>
    Effect.gen(function*() {
      const { call, starts } = machines(() => Effect.as(Effect.sleep("900 millis"), "charged"))
      const { exit, seconds } = yield* run(charge(call, exponential))
      expectSuccess(exit, "A call that answers within its second must succeed.")
      assert.deepEqual(starts, [0], "A call that succeeds is made once.")
      assert.strictEqual(seconds, 0.9, "The answer must be handed over when it is there.")
    }))
})

describe("b: a hanging attempt is given up after a second, and made again", () => {
  it.effect("one machine hangs", () =>
    Effect.gen(function*() {
      const { call, cut, starts } = machines((attempt) => attempt === 1 ? Effect.never : Effect.succeed("charged"))
      const { exit } = yield* run(charge(call, exponential))
      expectSuccess(exit, "The second machine answers, so the charge must succeed.")
      assert.deepEqual(starts, [0, 1.2], "One second for the first attempt, 0.2 s of waiting, then the second.")
      assert.strictEqual(cut.count, 1, "The hanging attempt must be interrupted, not left behind.")
    }))

  it.effect("all machines hang", () =>
    Effect.gen(function*() {
      const { call, starts } = machines(hangs)
      yield* run(charge(call, exponential))
      assert.deepEqual(starts, [0, 1.2, 2.6], "Each attempt has a second, and the waits are 0.2 and 0.4 s.")
    }))

  it.effect("an attempt that answers late", () =>
    Effect.gen(function*() {
      const { call, starts } = machines(() => Effect.as(Effect.sleep("1500 millis"), "charged"))
      yield* run(charge(call, Schedule.spaced("100 millis")))
      assert.deepEqual(starts, [0, 1.1, 2.2], "An attempt of 1.5 s is cut after one second.")
    }))
})

describe("c: the whole call ends by 3 s", () => {
  const schedules = {
    "exponential from 200 ms": exponential,
    "every 10 ms": Schedule.spaced("10 millis"),
    "two seconds apart": Schedule.spaced("2 seconds"),
    "an hour apart": Schedule.spaced("1 hour")
  }
  for (const [name, schedule] of Object.entries(schedules)) {
    it.effect(`hanging, ${name}`, () =>
      Effect.gen(function*() {
        const { exit, seconds } = yield* run(charge(machines(hangs).call, schedule))
        expectFailure(exit, "All machines hang, so the charge must fail.")
        assert.strictEqual(seconds, 3, `The whole call has 3 s (${name}).`)
      }))

    it.effect(`failing, ${name}`, () =>
      Effect.gen(function*() {
        const late = (): Call => Effect.andThen(Effect.sleep("400 millis"), fails())
        const { exit, seconds } = yield* run(charge(machines(late).call, schedule))
        expectFailure(exit, "All machines fail, so the charge must fail.")
        assert.strictEqual(seconds, 3, `The whole call has 3 s, counted from its start (${name}).`)
      }))
  }
})

describe("d: the failure says which of the two times was over", () => {
  it.effect("the whole", () =>
    Effect.gen(function*() {
      const { exit } = yield* run(charge(machines(hangs).call, exponential))
      const failure = expectFailure(exit, "All machines hang, so the charge must fail.")
      assert.strictEqual(failure._tag, "OutOfTime", "After 3 s the time of the whole call is over.")
    }))

  it.effect("the last attempt", () =>
    Effect.gen(function*() {
      const { exit, seconds } = yield* run(charge(machines(hangs).call, Schedule.recurs(1)))
      const failure = expectFailure(exit, "Two attempts hang, and there is no third.")
      assert.strictEqual(failure._tag, "AttemptTimeout", "After 2 s the second attempt is over, not the whole call.")
      assert.strictEqual(seconds, 2, "Two attempts of a second each take 2 s; nothing is left to wait for.")
    }))

  it.effect("neither", () =>
    Effect.gen(function*() {
      const { exit } = yield* run(charge(machines(fails).call, Schedule.recurs(1)))
      const failure = expectFailure(exit, "Both attempts fail.")
      assert.strictEqual(failure._tag, "Unavailable", "No time was over; payments said that it is unavailable.")
    }))
})

describe("e: the same with the library, which does not wait in vain", () => {
  it.effect("one machine hangs", () =>
    Effect.gen(function*() {
      const { call, starts } = machines((attempt) => attempt === 1 ? Effect.never : Effect.succeed("charged"))
      const { exit } = yield* run(chargeWithLibrary(call, "200 millis"))
      expectSuccess(exit, "The second machine answers, so the charge must succeed.")
      assert.deepEqual(starts, [0, 1.2], "One second for the first attempt, 0.2 s of waiting, then the second.")
    }))

  it.effect("all machines hang", () =>
    Effect.gen(function*() {
      const { call, starts } = machines(hangs)
      const { exit, seconds } = yield* run(chargeWithLibrary(call, "200 millis"))
      const failure = expectFailure(exit, "All machines hang, so the charge must fail.")
      assert.deepEqual(starts, [0, 1.2, 2.4], "One second each, 0.2 s apart.")
      assert.strictEqual(failure._tag, "OutOfTime", "After 3 s the time of the whole call is over.")
      assert.strictEqual(seconds, 3, "The whole call has 3 s.")
    }))

  it.effect("a wait that leaves no time", () =>
    Effect.gen(function*() {
      const { call, starts } = machines(fails)
      const { exit, seconds } = yield* run(chargeWithLibrary(call, "2 seconds"))
      const failure = expectFailure(exit, "All machines fail, so the charge must fail.")
      assert.deepEqual(starts, [0, 2], "Two attempts, 2 s apart, fit into 3 s.")
      assert.strictEqual(failure._tag, "Unavailable", "The caller must get what payments said last.")
      assert.strictEqual(seconds, 2, "A third attempt cannot be made in time, so nobody must wait for it.")
    }))

  it.effect("a wait that leaves no time after an attempt that hung", () =>
    Effect.gen(function*() {
      const { exit, seconds } = yield* run(chargeWithLibrary(machines(hangs).call, "2500 millis"))
      const failure = expectFailure(exit, "All machines hang, so the charge must fail.")
      assert.strictEqual(
        failure._tag,
        "AttemptTimeout",
        "The first attempt is over after a second, not the whole call."
      )
      assert.strictEqual(seconds, 1, "A second attempt cannot be made in time, so nobody must wait for it.")
    }))

  it.effect("all attempts used up", () =>
    Effect.gen(function*() {
      const { call, starts } = machines(fails)
      yield* run(chargeWithLibrary(call, "10 millis"))
      assert.strictEqual(starts.length, 5, "Up to five attempts are made.")
    }))
})
