import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { check, expectFailure, expectSuccess, time } from "../../support.ts"
import { type Call, charge, chargeWithLibrary, Rejected, shop, Unavailable } from "./exercise.ts"

const patience = "10 seconds"
const hanging = "The charge must come to an end."

/** A payments service that counts how often it is asked. */
const payments = (answer: (attempt: number) => Call) => {
  const asked = { count: 0 }
  const call: Call = Effect.suspend(() => answer(++asked.count))
  return { asked, call }
}

const down = (attempt: number): Call => Effect.fail(new Unavailable({ attempt }))
const refused = (): Call => Effect.fail(new Rejected({ reason: "stolen card" }))

const moments = [[0, 1], [99, 1], [100, 2], [299, 2], [300, 3], [699, 3], [700, 4], [60_000, 4]] as const

const onTime = (charge: (call: Call) => Call) =>
  Effect.gen(function*() {
    const { asked, call } = payments(down)
    yield* Effect.forkChild(Effect.exit(charge(call)), { startImmediately: true })
    let now = 0
    for (const [millis, count] of moments) {
      yield* TestClock.adjust(millis - now)
      now = millis
      check(
        asked.count === count,
        `Payments is down. ${millis} ms after the first attempt there must have been ${count}. Seen: ${asked.count}.`
      )
    }
  })

const once = (name: string, charge: (call: Call) => Call) =>
  it.effect(name, () =>
    Effect.gen(function*() {
      const { asked, call } = payments(refused)
      const { exit, seconds } = yield* time(charge(call), { patience, sentence: hanging })
      const failure = expectFailure(exit, "A rejected card must be reported as Rejected.")
      assert.strictEqual(asked.count, 1, "A rejected card stays rejected: ask once.")
      assert.strictEqual(failure._tag, "Rejected", "The caller must learn that the card was rejected.")
      assert.strictEqual(seconds, 0, "There is nothing to wait for after a rejection.")
    }))

describe("a: a success is asked for once", () => {
  for (const [name, given] of [["charge", charge], ["chargeWithLibrary", chargeWithLibrary]] as const) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const { asked, call } = payments(() => Effect.succeed("charged"))
        const { exit } = yield* time(given(call), { patience, sentence: hanging })
        expectSuccess(exit, "A charge that succeeds is done.")
        assert.strictEqual(asked.count, 1, "A charge that succeeds must not be asked for again.")
      }))
  }
})

describe("b: unavailable is asked again after 100, 200 and 400 ms", () => {
  it.effect("four attempts", () => onTime(charge))
})

describe("c: rejected is final", () => {
  once("charge", charge)
  once("chargeWithLibrary", chargeWithLibrary)
})

describe("d: the caller gets the last answer", () => {
  it.effect("still down", () =>
    Effect.gen(function*() {
      const { call } = payments(down)
      const { exit } = yield* time(charge(call), { patience, sentence: hanging })
      const failure = expectFailure(exit, "Payments stays down, so the charge must fail.")
      check(failure._tag === "Unavailable", "The caller must learn that payments is unavailable.")
      assert.strictEqual(failure.attempt, 4, "The error must be that of the last of four attempts.")
    }))

  it.effect("back on the third attempt", () =>
    Effect.gen(function*() {
      const { asked, call } = payments((attempt) => attempt < 3 ? down(attempt) : Effect.succeed("charged"))
      const { exit } = yield* time(charge(call), { patience, sentence: hanging })
      assert.strictEqual(expectSuccess(exit, "Payments is back on the third attempt."), "charged")
      assert.strictEqual(asked.count, 3, "Nothing is left to ask for after the third attempt.")
    }))

  it.effect("rejected on the second attempt", () =>
    Effect.gen(function*() {
      const { asked, call } = payments((attempt) => attempt < 2 ? down(attempt) : refused())
      const { exit } = yield* time(charge(call), { patience, sentence: hanging })
      assert.strictEqual(expectFailure(exit, "The second attempt is rejected.")._tag, "Rejected", "Rejected is final.")
      assert.strictEqual(asked.count, 2, "After the rejection nothing more may be asked.")
    }))
})

describe("e: the same with the library", () => {
  it.effect("four attempts", () => onTime(chargeWithLibrary))
})

describe("f: an outage is not answered with four times the load", () => {
  it.effect("a hundred orders", () =>
    Effect.gen(function*() {
      const charge = yield* shop
      const { asked, call } = payments(down)
      yield* time(Effect.forEach(Array.from({ length: 100 }), () => Effect.exit(charge(call))), {
        patience: "10 minutes",
        sentence: hanging
      })
      check(
        asked.count > 100,
        `A budget is not a ban: the first failures are still asked again. Seen: ${asked.count} attempts for 100 orders.`
      )
      check(
        asked.count <= 110,
        `A hundred orders during an outage may cost a few retries in all. Seen: ${asked.count} attempts.`
      )
    }))

  it.effect("when payments is back", () =>
    Effect.gen(function*() {
      const charge = yield* shop
      const broken = payments(down)
      yield* time(Effect.forEach(Array.from({ length: 20 }), () => Effect.exit(charge(broken.call))), {
        patience: "10 minutes",
        sentence: hanging
      })
      yield* time(Effect.forEach(Array.from({ length: 80 }), () => charge(Effect.succeed("charged"))), {
        patience,
        sentence: hanging
      })
      const flaky = payments((attempt) => attempt === 1 ? down(attempt) : Effect.succeed("charged"))
      const { exit } = yield* time(charge(flaky.call), { patience, sentence: hanging })
      expectSuccess(exit, "After 80 successes the budget must allow retries again: tell it of them.")
    }))

  it.effect("another shop", () =>
    Effect.gen(function*() {
      const [mine, theirs] = [yield* shop, yield* shop]
      yield* time(Effect.forEach(Array.from({ length: 20 }), () => Effect.exit(mine(payments(down).call))), {
        patience: "10 minutes",
        sentence: hanging
      })
      const { asked, call } = payments(down)
      yield* time(Effect.exit(theirs(call)), { patience, sentence: hanging })
      assert.strictEqual(asked.count, 4, "One shop has used up its own budget, not that of another.")
    }))

  it.effect("a rejected card", () =>
    Effect.gen(function*() {
      const { asked, call } = payments(refused)
      yield* time(Effect.exit((yield* shop)(call)), { patience, sentence: hanging })
      assert.strictEqual(asked.count, 1, "A rejected card stays rejected, whatever the budget has left.")
    }))
})
