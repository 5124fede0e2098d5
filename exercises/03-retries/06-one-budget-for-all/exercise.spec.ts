import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { check, expectFailure, expectSuccess } from "../../support.ts"
import { type Call, Declined, Down, make, makeWithLibrary, type Payments, type Policy } from "./exercise.ts"

type Make = (policy: Policy) => Effect.Effect<Payments>
type End = "paid" | "down" | "declined"

const endless = Effect.die(new Error("More than 20 attempts were made for one call"))

/** A call whose attempts end as the script says; the last end stands for all that come after it. */
const scripted = (script: ReadonlyArray<End>) => {
  const seen = { attempts: 0 }
  const call: Call = Effect.suspend(() => {
    const end = script[Math.min(seen.attempts, script.length - 1)]
    seen.attempts++
    if (seen.attempts > 20) return endless
    return end === "paid" ? Effect.succeed("paid") : Effect.fail(end === "down" ? new Down() : new Declined())
  })
  return { call, seen }
}

/** How many attempts one call makes. */
const attempts = (payments: Payments, ...script: ReadonlyArray<End>) => {
  const { call, seen } = scripted(script)
  return Effect.map(Effect.exit(payments.run(call)), (exit) => ({ exit, attempts: seen.attempts }))
}

const sum = (payments: Payments, calls: number, ...script: ReadonlyArray<End>) =>
  Effect.gen(function*() {
    let all = 0
    for (let n = 0; n < calls; n++) all += (yield* attempts(payments, ...script)).attempts
    return all
  })

const outage = (make: Make) =>
  Effect.gen(function*() {
    const payments = yield* make({ maximum: 10, ratio: 0.1 })
    const first = yield* attempts(payments, "down")
    assert.strictEqual(first.attempts, 3, "The budget is full, so the first call makes all of its three attempts.")
    const second = yield* attempts(payments, "down")
    assert.strictEqual(
      second.attempts,
      2,
      "Three tokens are gone. The fourth failure leaves 6, which is more than half; the fifth leaves 5, which is not."
    )
    assert.strictEqual(yield* sum(payments, 98, "down"), 98, "At 5 of 10 and below there are no retries at all.")
    const other = yield* make({ maximum: 4, ratio: 0.1 })
    assert.strictEqual(
      yield* sum(other, 10, "down"),
      11,
      "With 4 tokens the first failure leaves 3 and allows one retry, the second leaves 2 and allows none."
    )
  })

const together = (make: Make) =>
  Effect.gen(function*() {
    const payments = yield* make({ maximum: 10, ratio: 0.1 })
    let all = 0
    const call: Call = Effect.andThen(Effect.sync(() => void all++), Effect.andThen(Effect.yieldNow, new Down()))
    const exits = yield* Effect.forEach(
      Array.from({ length: 50 }),
      () => Effect.exit(payments.run(call)),
      { concurrency: "unbounded" }
    )
    check(all < 60, `Fifty calls at once share one budget of ten tokens. Seen: ${all} attempts.`)
    const error = expectFailure(exits[49] ?? Exit.succeed(""), "A call that may not be repeated ends with its failure.")
    assert.strictEqual(error._tag, "Down", "Without a token left the call ends with the failure that was there.")
  })

const recovery = (make: Make) =>
  Effect.gen(function*() {
    const payments = yield* make({ maximum: 10, ratio: 0.1 })
    yield* sum(payments, 20, "down")
    assert.strictEqual(
      yield* sum(payments, 60, "paid"),
      60,
      "A success is made once. Sixty of them bring 6 tokens, after an outage that had taken all."
    )
    const { attempts: made, exit } = yield* attempts(payments, "down", "paid")
    assert.strictEqual(
      made,
      1,
      "After 60 successes 6 of 10 tokens are there. The failure leaves 5: no more than half, so no retry."
    )
    check(Exit.isFailure(exit), "A call that may not be repeated ends with its failure.")
    yield* sum(payments, 11, "paid")
    const later = yield* attempts(payments, "down", "paid")
    assert.strictEqual(later.attempts, 2, "Eleven successes later the failure leaves 5.1, which is more than half.")
    expectSuccess(later.exit, "The second attempt succeeds.")
    const full = yield* make({ maximum: 10, ratio: 0.5 })
    yield* sum(full, 100, "paid")
    assert.strictEqual(
      yield* sum(full, 10, "down"),
      13,
      "A hundred successes fill the budget to its maximum and no further: ten failing calls make thirteen attempts."
    )
  })

const declined = (make: Make) =>
  Effect.gen(function*() {
    const payments = yield* make({ maximum: 10, ratio: 1 })
    const one = yield* attempts(payments, "declined", "paid")
    assert.strictEqual(one.attempts, 1, "Declined is an answer: it is not repeated.")
    yield* sum(payments, 20, "declined")
    assert.strictEqual(
      (yield* attempts(payments, "down")).attempts,
      3,
      "Declined takes nothing: after twenty of them the budget is full."
    )
    yield* sum(payments, 20, "down")
    yield* sum(payments, 20, "declined")
    assert.strictEqual(
      (yield* attempts(payments, "down")).attempts,
      1,
      "Declined gives nothing back: after an outage and twenty of them there is still no retry."
    )
  })

/** The rule by hand, in thousandths. */
const byHand = ({ maximum, ratio }: Policy, calls: ReadonlyArray<ReadonlyArray<End>>): ReadonlyArray<number> => {
  let tokens = maximum * 1000
  return calls.map((script) => {
    for (let n = 1;; n++) {
      const end = script[Math.min(n, script.length) - 1]
      if (end === "paid") tokens = Math.min(maximum * 1000, tokens + ratio * 1000)
      if (end === "down") tokens = Math.max(0, tokens - 1000)
      if (end !== "down" || n === 3 || tokens <= maximum * 500) return n
    }
  })
}

const likeByHand = (make: Make) =>
  Effect.gen(function*() {
    let seed = 11
    const next = (n: number) => (seed = (seed * 48_271) % 2_147_483_647) % n
    const ends: ReadonlyArray<End> = ["paid", "paid", "paid", "down", "down", "declined"]
    for (const policy of [{ maximum: 10, ratio: 0.1 }, { maximum: 3, ratio: 0.25 }, { maximum: 20, ratio: 0.5 }]) {
      const scripts = Array.from({ length: 120 }, () => Array.from({ length: 3 }, () => ends[next(6)] ?? "paid"))
      const payments = yield* make(policy)
      const made: Array<number> = []
      for (const script of scripts) made.push((yield* attempts(payments, ...script)).attempts)
      const expected = byHand(policy, scripts)
      const wrong = made.findIndex((count, index) => count !== expected[index])
      const before = scripts.slice(Math.max(0, wrong - 3), wrong + 1).map((script) => script.join(" then ")).join("; ")
      check(
        wrong === -1,
        `With ${policy.maximum} tokens and a ratio of ${policy.ratio}, call ${wrong + 1} must make ${
          expected[wrong]
        } attempts, and made ${made[wrong]}. The last calls would go: ${before}.`
      )
    }
  })

describe("a: a call that succeeds is made once", () => {
  it.effect("and a call may succeed at the third attempt", () =>
    Effect.gen(function*() {
      const payments = yield* make({ maximum: 10, ratio: 0.1 })
      assert.strictEqual((yield* attempts(payments, "paid")).attempts, 1, "What succeeds is made once.")
      const third = yield* attempts(payments, "down", "down", "paid")
      assert.strictEqual(expectSuccess(third.exit, "The third attempt succeeds."), "paid", "Its answer is the answer.")
    }))
})

describe("b: when everything fails there are hardly any retries", () => {
  it.effect("a hundred calls", () => outage(make))
  it.effect("fifty at once", () => together(make))
})

describe("c: successes bring the retries back", () => {
  it.effect("slowly, and up to the maximum", () => recovery(make))
  it.effect("and only successes", () => declined(make))
  it.effect("as a count by hand says", () => likeByHand(make))
})

describe("d: the same with RetryBudget.tokens", () => {
  it.effect("an outage", () => outage(makeWithLibrary))
  it.effect("fifty at once", () => together(makeWithLibrary))
  it.effect("afterwards", () => recovery(makeWithLibrary))
  it.effect("an answer that is no failure", () => declined(makeWithLibrary))
  it.effect("by hand", () => likeByHand(makeWithLibrary))
})
