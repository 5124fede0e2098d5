import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { check, expectSuccess, time } from "../../support.ts"
import { handle, type Pool, withLease } from "./exercise.ts"

/** A pool that notes what becomes of its leases; giving one back takes a moment. */
const pooled = () => {
  const log: Array<string> = []
  const pool: Pool = {
    take: Effect.sync(() => {
      log.push("taken")
      return { number: log.length }
    }),
    giveBack: () =>
      Effect.andThen(
        Effect.sleep("10 millis"),
        Effect.sync(() => void log.push("back"))
      )
  }
  const working = (work: Effect.Effect<void, string>) =>
    Effect.onExit(work, () => Effect.sync(() => void log.push("work ended")))
  return { log, pool, working }
}

const good = ["taken", "work ended", "back"]
const patience = "1 minute"
const hanging = "The work must come to an end."

const ways: ReadonlyArray<readonly [string, Effect.Effect<void, string>]> = [
  ["a success", Effect.void],
  ["a failure", Effect.fail("payments is down")],
  ["a defect", Effect.die(new Error("a bug"))]
]

describe("a: after a success the lease is back", () => {
  it.effect("a success", () =>
    Effect.gen(function*() {
      const { log, pool, working } = pooled()
      const { exit } = yield* time(withLease(pool, () => working(Effect.void)), { patience, sentence: hanging })
      expectSuccess(exit, "The work succeeds, and so must the whole.")
      assert.deepEqual(log, good, "The lease is taken, then the work is done, then the lease is given back, once.")
    }))
})

describe("b: after a failure and a defect it is back, too", () => {
  for (const [name, work] of ways.slice(1)) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const { log, pool, working } = pooled()
        const { exit } = yield* time(withLease(pool, () => working(work)), { patience, sentence: hanging })
        check(exit._tag === "Failure", `After ${name} the caller must see it.`)
        assert.deepEqual(log, good, `After ${name} the lease must be given back, once.`)
      }))
  }
})

describe("c: after an interruption it is back, and the work has stopped at once", () => {
  it.effect("the customer leaves", () =>
    Effect.gen(function*() {
      const { log, pool, working } = pooled()
      const work = working(Effect.andThen(Effect.sleep("1 hour"), Effect.void))
      const fiber = yield* Effect.forkChild(withLease(pool, () => work), { startImmediately: true })
      yield* TestClock.adjust("5 seconds")
      yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
      yield* TestClock.adjust("1 milli")
      const stopped = log.includes("work ended")
      yield* TestClock.adjust("2 hours")
      check(stopped, "The customer has left, so the work must stop at once. It goes on.")
      assert.deepEqual(log, good, "After an interruption the lease must be given back, once.")
    }))

  it.effect("the customer leaves while the lease is taken", () =>
    Effect.gen(function*() {
      const { log, pool, working } = pooled()
      const slow: Pool = { ...pool, take: Effect.tap(pool.take, () => Effect.sleep("1 second")) }
      const fiber = yield* Effect.forkChild(withLease(slow, () => working(Effect.never)), { startImmediately: true })
      yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
      yield* TestClock.adjust("10 minutes")
      check(
        log.includes("back"),
        "The customer left in the moment in which the lease was taken. It must be given back all the same."
      )
    }))
})

describe("d: a handler that runs into its deadline gives it back before it answers", () => {
  it.effect("too late", () =>
    Effect.gen(function*() {
      const { log, pool, working } = pooled()
      const answer = Effect.tap(handle(pool, () => working(Effect.sleep("30 seconds"))), ({ status }) =>
        Effect.sync(() => void log.push(String(status))))
      const { exit, seconds } = yield* time(answer, {
        patience,
        sentence: "The handler has one second. It hangs."
      })
      expectSuccess(exit, "A handler that is too late must answer 504.")
      check(
        seconds <= 1.1,
        `The answer must come after a second, and the moment that the lease takes. Seen: after ${seconds} s.`
      )
      assert.deepEqual(log, [...good, "504"], "First the lease is given back, then the answer leaves.")
    }))

  it.effect("in time", () =>
    Effect.gen(function*() {
      const { log, pool, working } = pooled()
      const { exit } = yield* time(handle(pool, () => working(Effect.void)), { patience, sentence: hanging })
      assert.strictEqual(expectSuccess(exit, "A handler that is in time must answer.").status, 200, "In time is 200.")
      assert.deepEqual(log, good, "After a success the lease must be given back, once.")
    }))
})
