import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Ref } from "effect"
import { CircuitBreaker } from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"

const make = (probes = 1) => CircuitBreaker.makeRef({ name: "db", failures: 2, openFor: "10 seconds", probes })
const tag = (breaker: CircuitBreaker.CircuitBreaker) => Effect.map(Ref.get(breaker.state), (state) => state._tag)
const fail = (breaker: CircuitBreaker.CircuitBreaker) => Effect.exit(breaker.run(Effect.fail("down")))

describe("CircuitBreaker", () => {
  it.effect("opens at the limit and leaves the tripping call its own error", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      yield* fail(breaker)
      const tripping = yield* Effect.flip(breaker.run(Effect.fail("down")))
      assert.strictEqual(tripping, "down")
      const refused = yield* Effect.flip(breaker.run(Effect.die("must not run")))
      assert.deepStrictEqual([refused._tag, refused.retryAfterMillis], ["CircuitOpen", 10_000])
    }))
  it.effect("counts failures in a row, not in total", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      for (let i = 0; i < 5; i++) {
        yield* fail(breaker)
        yield* breaker.run(Effect.void)
      }
      assert.strictEqual(yield* tag(breaker), "Closed")
    }))
  it.effect("admits as many probes as it has permits, and closes on success", () =>
    Effect.gen(function*() {
      const breaker = yield* make(2)
      yield* fail(breaker)
      yield* fail(breaker)
      yield* TestClock.adjust("10 seconds")
      const gate = yield* Deferred.make<void>()
      const fibers = yield* Effect.forEach(
        Array.from({ length: 10 }),
        () => Effect.forkChild(Effect.exit(breaker.run(Deferred.await(gate))), { startImmediately: true })
      )
      yield* Deferred.succeed(gate, undefined)
      const exits = yield* Effect.forEach(fibers, Fiber.join)
      assert.strictEqual(exits.filter(Exit.isSuccess).length, 2)
      assert.strictEqual(yield* tag(breaker), "Closed")
    }))
  it.effect("gives the permit of an interrupted probe back", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      yield* fail(breaker)
      yield* fail(breaker)
      yield* TestClock.adjust("10 seconds")
      const probe = yield* Effect.forkChild(breaker.run(Effect.never), { startImmediately: true })
      yield* Fiber.interrupt(probe)
      assert.strictEqual(yield* tag(breaker), "HalfOpen")
      yield* breaker.run(Effect.void)
      assert.strictEqual(yield* tag(breaker), "Closed")
    }))
  it.effect("ignores a result that started in an earlier epoch", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      const gate = yield* Deferred.make<void>()
      const slow = yield* Effect.forkChild(breaker.run(Deferred.await(gate)), { startImmediately: true })
      yield* fail(breaker)
      yield* fail(breaker)
      yield* TestClock.adjust("10 seconds")
      const probe = yield* Effect.forkChild(breaker.run(Effect.never), { startImmediately: true })
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(slow)
      assert.strictEqual(yield* tag(breaker), "HalfOpen")
      yield* Fiber.interrupt(probe)
    }))
  it.effect("neither counts nor resets on a failure that is excluded", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      yield* fail(breaker)
      yield* Effect.exit(breaker.run(Effect.fail("mine"), { isFailure: () => false }))
      assert.deepStrictEqual(yield* Ref.get(breaker.state), { _tag: "Closed", epoch: 0, failures: 1 })
      yield* fail(breaker)
      assert.strictEqual(yield* tag(breaker), "Open")
    }))
  it.effect("gives the permit back when the classifier throws", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      yield* fail(breaker)
      yield* fail(breaker)
      yield* TestClock.adjust("10 seconds")
      const exit = yield* Effect.exit(breaker.run(Effect.fail("down"), {
        isFailure: () => {
          throw new Error("classifier")
        }
      }))
      assert.isTrue(Exit.isFailure(exit) && !Cause.hasDies(exit.cause))
      assert.strictEqual(yield* tag(breaker), "Open")
    }))
  it.effect("refuses a limit of nothing, naming the option", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(CircuitBreaker.makeRef({ name: "db", failures: 0, openFor: 1 }))
      assert.match(
        Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "",
        /failures must be a whole number from 1, got 0/
      )
    }))
})
