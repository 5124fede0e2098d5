import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { CircuitBreaker } from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"

const make = CircuitBreaker.make({ name: "x", trip: CircuitBreaker.consecutive(2), breakDuration: "1 second" })
const key = "upstream"

/** A call that begins now and ends when told to. */
const begin = (breaker: CircuitBreaker.CircuitBreaker, end: Effect.Effect<void, string>) =>
  Effect.gen(function*() {
    const gate = yield* Deferred.make<void>()
    const call = breaker.run(key, Effect.andThen(Deferred.await(gate), end))
    const fiber = yield* Effect.forkChild(Effect.exit(call), { startImmediately: true })
    return { finish: Effect.andThen(Deferred.succeed(gate, undefined), Fiber.join(fiber)) }
  })
const trip = (breaker: CircuitBreaker.CircuitBreaker) =>
  Effect.forEach([1, 2], () => Effect.exit(breaker.run(key, Effect.fail("down"))))
const state = (breaker: CircuitBreaker.CircuitBreaker) =>
  Effect.map(breaker.snapshot(key), (snapshot) => snapshot.state)

describe("T04 a result counts only for the state it started in", () => {
  it.effect("a success that began while closed does not close a half-open circuit", () =>
    Effect.gen(function*() {
      const breaker = yield* make
      const stale = yield* begin(breaker, Effect.void)
      yield* trip(breaker)
      yield* TestClock.adjust("1 second")
      const probe = yield* begin(breaker, Effect.void)
      yield* stale.finish
      assert.strictEqual(yield* state(breaker), "HalfOpen")
      yield* probe.finish
      assert.strictEqual(yield* state(breaker), "Closed")
    }))
  it.effect("a failure that began while closed does not open a half-open circuit again", () =>
    Effect.gen(function*() {
      const breaker = yield* make
      const stale = yield* begin(breaker, Effect.fail("late"))
      yield* trip(breaker)
      yield* TestClock.adjust("1 second")
      const probe = yield* begin(breaker, Effect.void)
      yield* stale.finish
      assert.strictEqual(yield* state(breaker), "HalfOpen")
      yield* probe.finish
      assert.strictEqual(yield* state(breaker), "Closed")
    }))
  it.effect("failures that began before a recovery do not count after it", () =>
    Effect.gen(function*() {
      const breaker = yield* make
      const stale = [yield* begin(breaker, Effect.fail("late")), yield* begin(breaker, Effect.fail("late"))]
      yield* trip(breaker)
      yield* TestClock.adjust("1 second")
      yield* breaker.run(key, Effect.void)
      for (const call of stale) yield* call.finish
      assert.strictEqual(yield* state(breaker), "Closed")
      assert.strictEqual((yield* breaker.snapshot(key)).figures[0]?.bad, 0)
    }))
  it.effect("a probe of an earlier half-open time has no say in a later one", () =>
    Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.make({
        name: "x",
        trip: CircuitBreaker.consecutive(2),
        breakDuration: "1 second",
        probe: { permits: 2 }
      })
      yield* trip(breaker)
      yield* TestClock.adjust("1 second")
      const stale = yield* begin(breaker, Effect.void)
      yield* Effect.exit(breaker.run(key, Effect.fail("down")))
      yield* TestClock.adjust("1 second")
      const probe = yield* begin(breaker, Effect.void)
      yield* stale.finish
      const snapshot = yield* breaker.snapshot(key)
      assert.deepStrictEqual([snapshot.state, snapshot.probes], ["HalfOpen", 1])
      yield* probe.finish
      assert.strictEqual(yield* state(breaker), "Closed")
    }))
})
