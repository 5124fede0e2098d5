import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { check } from "../../support.ts"
import { type Breaker, make, makeWithLibrary, type Policy } from "./exercise.ts"

type Make = (policy: Policy) => Effect.Effect<Breaker>

/** A call: how long after the one before it begins, whether it fails, and how long it takes. */
interface Step {
  readonly after?: number
  readonly fails: boolean
  readonly takes?: number
}

const policy: Policy = { threshold: 0.5, minimum: 4, windowMillis: 1000 }

/** Makes calls one after the other, and says how many ran before the first refusal; all of them when there was none. */
const ranBeforeRefusal = (breaker: Breaker, steps: ReadonlyArray<Step>) =>
  Effect.gen(function*() {
    let ran = 0
    for (const { after = 0, fails, takes = 0 } of steps) {
      yield* TestClock.adjust(after)
      const before = ran
      const call = Effect.suspend(() => {
        ran++
        const end = fails ? Effect.fail("down") : Effect.succeed("paid")
        return takes === 0 ? end : Effect.delay(end, takes)
      })
      const fiber = yield* Effect.forkChild(breaker.run(call), { startImmediately: true })
      yield* TestClock.adjust(takes)
      yield* Fiber.await(fiber)
      if (ran === before) return ran
    }
    return ran
  })

/** All calls must run but the last one, which is the first to be refused. */
const opens = (make: Make, steps: ReadonlyArray<Step>, sentence: string, given = policy) =>
  Effect.gen(function*() {
    const ran = yield* ranBeforeRefusal(yield* make(given), [...steps, { fails: false }])
    check(
      ran === steps.length,
      `${sentence} Expected: it opens after ${steps.length} calls. Seen: ${
        ran > steps.length ? "it let one more through" : `it opened after ${ran}`
      }.`
    )
  })

const staysClosed = (make: Make, steps: ReadonlyArray<Step>, sentence: string, given = policy) =>
  Effect.gen(function*() {
    const ran = yield* ranBeforeRefusal(yield* make(given), [...steps, { fails: false }])
    check(
      ran === steps.length + 1,
      `${sentence} Expected: all ${steps.length + 1} calls are let through. Seen: it opened after ${ran}.`
    )
  })

const no: Step = { fails: true }
const yes: Step = { fails: false }

const shares = (make: Make) =>
  Effect.gen(function*() {
    yield* opens(make, [yes, no, yes, no], "Two failures among four calls are one half, and one half is enough.")
    yield* opens(make, [yes, yes, yes, no, no, no], "Three failures among six calls are one half, and that is enough.")
    yield* staysClosed(make, [yes, yes, no, yes, no], "Two failures among five calls are less than one half.")
    const third = { ...policy, threshold: 0.34 }
    yield* staysClosed(make, [yes, yes, yes, no, yes, no], "Two failures among six calls are less than 34 %.", third)
    yield* opens(make, [yes, yes, yes, no, no], "Two failures among five calls are more than 34 %.", third)
  })

const minimum = (make: Make) =>
  Effect.gen(function*() {
    yield* staysClosed(make, [no, no, no], "Three calls are fewer than the minimum of four, even if all of them fail.")
    yield* opens(make, [no, no, no, no], "The fourth failure brings four calls together: now the circuit must open.")
    yield* opens(
      make,
      [no, no, no, no, no, no],
      "With a minimum of six the sixth failure must open the circuit.",
      { ...policy, minimum: 6 }
    )
  })

const slides = (make: Make) =>
  Effect.gen(function*() {
    yield* staysClosed(
      make,
      [no, no, no, { after: 1250, fails: true }],
      "Three failures of more than a second ago have left the window: one call is fewer than four."
    )
    yield* opens(
      make,
      [{ after: 550, fails: true }, no, { after: 450, fails: true }, no],
      "Four failures lie within 450 ms, though on both sides of a full second: the window slides with time."
    )
    yield* opens(
      make,
      [yes, yes, yes, yes, yes, yes, { after: 1250, fails: true }, yes, no, no],
      "Successes of more than a second ago have left the window, so the failures of now are more than a half."
    )
    yield* opens(
      make,
      [{ fails: true, takes: 1450 }, no, no, no],
      "A call counts when it ends: one that took 1.45 s and has just failed is in the window."
    )
  })

describe("a: a healthy service is asked every time", () => {
  it.effect("successes", () =>
    staysClosed(make, [yes, yes, yes, yes, yes], "Without a failure nothing may be refused."))
})

describe("b: the share of failures decides", () => {
  it.effect("one half, and a third", () => shares(make))
})

describe("c: with few calls nothing is decided", () => {
  it.effect("three calls, and four", () => minimum(make))
})

describe("d: the window slides", () => {
  it.effect("old calls leave it", () => slides(make))

  it.effect("to the millisecond", () =>
    Effect.gen(function*() {
      const old = [no, no, no]
      yield* opens(make, [...old, { after: 999, fails: true }], "Calls that ended 999 ms ago are in the window.")
      yield* staysClosed(make, [...old, { after: 1000, fails: true }], "Calls that ended 1000 ms ago have left it.")
    }))

  it.effect("as a slow count by hand says", () =>
    Effect.gen(function*() {
      let seed = 7
      const next = (n: number) => {
        seed = (seed * 48_271) % 2_147_483_647
        return seed % n
      }
      for (let round = 0; round < 60; round++) {
        const steps = Array.from({ length: 25 }, () => ({ after: next(300), fails: next(5) < 2 }))
        let now = 0
        const ends = steps.map(({ after, fails }) => ({ at: now += after, fails }))
        const opening = ends.findIndex(({ at, fails }, index) => {
          const seen = ends.slice(0, index + 1).filter((one) => at - one.at < policy.windowMillis)
          const failed = seen.filter((one) => one.fails).length
          return fails && seen.length >= policy.minimum && failed >= seen.length * policy.threshold
        })
        const expected = opening === -1 ? steps.length : opening + 1
        const ran = yield* ranBeforeRefusal(yield* make(policy), steps)
        const told = ends.map(({ at, fails }) => `${at}${fails ? " fails" : ""}`).join(", ")
        assert.strictEqual(ran, expected, `So many calls must run, where calls end at (in ms): ${told}.`)
      }
    }))
})

describe("e: the same with CircuitBreaker.failureRate", () => {
  it.effect("shares", () => shares(makeWithLibrary))
  it.effect("few calls", () => minimum(makeWithLibrary))
  it.effect("the window", () => slides(makeWithLibrary))
  it.effect("another window", () =>
    opens(
      makeWithLibrary,
      [no, no, { after: 3000, fails: true }, no],
      "With a window of five seconds, calls of three seconds ago are in it.",
      { ...policy, windowMillis: 5000 }
    ))
})
