import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Option } from "effect"
import { CircuitBreaker } from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"

const key = "upstream"
const isDown = (cause: Cause.Cause<unknown>) => Option.exists(Cause.findErrorOption(cause), (error) => error === "down")
const make = CircuitBreaker.make({
  name: "x",
  trip: CircuitBreaker.consecutive(3),
  breakDuration: "1 second",
  isFailure: isDown
})
const run = (breaker: CircuitBreaker.CircuitBreaker, error: string) => Effect.exit(breaker.run(key, Effect.fail(error)))
const state = (breaker: CircuitBreaker.CircuitBreaker) =>
  Effect.map(breaker.snapshot(key), (snapshot) => snapshot.state)

describe("T08 excluded failures are neutral, and the tripping call keeps its own error", () => {
  it.effect("two failures, an excluded one and a third failure open at three", () =>
    Effect.gen(function*() {
      const breaker = yield* make
      yield* run(breaker, "down")
      yield* run(breaker, "down")
      assert.deepStrictEqual(yield* run(breaker, "excluded"), Exit.fail("excluded"))
      assert.strictEqual(yield* state(breaker), "Closed")
      assert.deepStrictEqual(yield* run(breaker, "down"), Exit.fail("down"))
      assert.strictEqual(yield* state(breaker), "Open")
    }))
  it.effect("an excluded failure of a call can be said at the call", () =>
    Effect.gen(function*() {
      const breaker = yield* make
      yield* run(breaker, "down")
      yield* run(breaker, "down")
      yield* Effect.exit(breaker.run(key, Effect.fail("down"), { classify: () => "neutral" }))
      assert.strictEqual(yield* state(breaker), "Closed")
      yield* run(breaker, "down")
      assert.strictEqual(yield* state(breaker), "Open")
    }))
  it.effect("an excluded failure does not close a half-open circuit", () =>
    Effect.gen(function*() {
      const breaker = yield* make
      for (let i = 0; i < 3; i++) yield* run(breaker, "down")
      yield* TestClock.adjust("1 second")
      yield* run(breaker, "excluded")
      assert.strictEqual(yield* state(breaker), "HalfOpen")
      assert.deepStrictEqual(yield* run(breaker, "down"), Exit.fail("down"), "the permit came back")
      assert.strictEqual(yield* state(breaker), "Open")
    }))
  it.effect("a defect that trips the circuit stays the defect", () =>
    Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.make({
        name: "x",
        trip: CircuitBreaker.consecutive(1),
        breakDuration: "1 second"
      })
      const exit = yield* Effect.exit(breaker.run(key, Effect.die("bug")))
      assert.deepStrictEqual(exit, Exit.die("bug"))
      assert.strictEqual(yield* state(breaker), "Open")
    }))
})
