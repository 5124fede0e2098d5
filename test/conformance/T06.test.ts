import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { CircuitBreaker } from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"

const key = "upstream"
const make = (failures: number) =>
  CircuitBreaker.make({ name: "x", trip: CircuitBreaker.consecutive(failures), breakDuration: "1 second" })
const halfOpen = Effect.gen(function*() {
  const breaker = yield* make(1)
  yield* Effect.exit(breaker.run(key, Effect.fail("down")))
  yield* TestClock.adjust("1 second")
  return breaker
})
const open = new CircuitBreaker.CircuitOpen({ name: "inner", key: "inner", retryAfterMillis: 1, isolated: false })

/** Outcomes that a process makes up by itself, without asking the other side. */
const local: ReadonlyArray<readonly [name: string, call: Effect.Effect<unknown, unknown>]> = [
  ["a deadline that had passed before the call began", Effect.never.pipe(Deadline.within(0))],
  ["a circuit further in that is open", Effect.fail(open)],
  ["a bulkhead that is full", Effect.fail({ _tag: "BulkheadRejected" })],
  ["a throttle", Effect.fail({ _tag: "Throttled" })],
  ["interruption", Effect.interrupt]
]

describe("T06 what a process makes up by itself is neither success nor failure", () => {
  for (const [name, call] of local) {
    it.effect(`${name} leaves a half-open circuit as it is, with its permit free`, () =>
      Effect.gen(function*() {
        const breaker = yield* halfOpen
        yield* Effect.exit(breaker.run(key, call))
        const { counts, probes, state } = yield* breaker.snapshot(key)
        assert.deepStrictEqual([state, probes, counts.neutral], ["HalfOpen", 0, 1])
        yield* breaker.run(key, Effect.void)
        assert.strictEqual((yield* breaker.snapshot(key)).state, "Closed")
      }))
    it.effect(`${name} neither counts nor resets while closed`, () =>
      Effect.gen(function*() {
        const breaker = yield* make(2)
        yield* Effect.exit(breaker.run(key, Effect.fail("down")))
        for (let i = 0; i < 5; i++) yield* Effect.exit(breaker.run(key, call))
        assert.strictEqual((yield* breaker.snapshot(key)).state, "Closed")
        yield* Effect.exit(breaker.run(key, Effect.fail("down")))
        assert.strictEqual((yield* breaker.snapshot(key)).state, "Open")
      }))
  }
  it.effect("a caller whose budget is spent cannot close an open circuit", () =>
    Effect.gen(function*() {
      const breaker = yield* make(1)
      yield* Effect.exit(breaker.run(key, Effect.fail("down")))
      const call = breaker.run(key, Effect.void.pipe(Deadline.enforce)).pipe(Deadline.within(0))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(call)))
      assert.strictEqual((yield* breaker.snapshot(key)).state, "Open")
      yield* TestClock.adjust("1 second")
      yield* Effect.exit(call)
      assert.strictEqual((yield* Effect.exit(breaker.run(key, Effect.void)))._tag, "Success")
    }))
  it.effect("a call whose caller's budget ran out before it came to the circuit is neutral", () =>
    Effect.gen(function*() {
      const breaker = yield* make(1)
      const late = Effect.andThen(
        Effect.uninterruptible(Effect.sleep("1 second")),
        Effect.exit(breaker.run(key, Effect.never.pipe(Deadline.enforce)))
      )
      const fiber = yield* Effect.forkChild(
        Effect.exit(Effect.uninterruptible(late).pipe(Deadline.within("1 second"))),
        { startImmediately: true }
      )
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(
        [(yield* breaker.snapshot(key)).state, (yield* breaker.snapshot(key)).counts.neutral],
        ["Closed", 1]
      )
    }))
  it.effect("but a deadline that passed while the other side was asked is its failure", () =>
    Effect.gen(function*() {
      const breaker = yield* make(1)
      const fiber = yield* Effect.forkChild(
        Effect.exit(breaker.run(key, Effect.never.pipe(Deadline.within("1 second")))),
        { startImmediately: true }
      )
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.strictEqual((yield* breaker.snapshot(key)).state, "Open")
    }))
})
