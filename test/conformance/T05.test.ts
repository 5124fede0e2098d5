import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Schema } from "effect"
import { CircuitBreaker } from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"

const key = "upstream"
/** A breaker that is half open at the next call. */
const halfOpen = (probe: CircuitBreaker.ProbeOptions) =>
  Effect.gen(function*() {
    const breaker = yield* CircuitBreaker.make({
      name: "x",
      trip: CircuitBreaker.consecutive(1),
      breakDuration: "1 second",
      probe
    })
    yield* Effect.exit(breaker.run(key, Effect.fail("down")))
    yield* TestClock.adjust("1 second")
    return breaker
  })
const now = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

describe("T05 half open admits at most N, and permits come back", () => {
  it.effect.prop(
    "of 10 concurrent calls N run",
    { permits: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 12 })) },
    ({ permits }) =>
      Effect.gen(function*() {
        const breaker = yield* halfOpen({ permits, successes: 100 })
        const gate = yield* Deferred.make<void>()
        let running = 0
        const call = breaker.run(key, Effect.suspend(() => (running++, Deferred.await(gate))))
        const fibers = yield* Effect.forEach(Array.from({ length: 10 }), () => now(Effect.exit(call)))
        assert.strictEqual(running, Math.min(10, permits))
        yield* Deferred.succeed(gate, undefined)
        const exits = yield* Effect.forEach(fibers, Fiber.join)
        assert.strictEqual(exits.filter(Exit.isSuccess).length, Math.min(10, permits))
        assert.strictEqual((yield* breaker.snapshot(key)).probes, 0)
      })
  )
  it.effect("an interrupted probe lets the next one in", () =>
    Effect.gen(function*() {
      const breaker = yield* halfOpen({})
      const probe = yield* now(breaker.run(key, Effect.never))
      assert.strictEqual((yield* Effect.flip(breaker.run(key, Effect.void)))._tag, "CircuitOpen")
      yield* Fiber.interrupt(probe)
      yield* breaker.run(key, Effect.void)
      assert.strictEqual((yield* breaker.snapshot(key)).state, "Closed")
    }))
  it.effect("a slow probe holds its permit, longer than the break, and nobody piles up behind it", () =>
    Effect.gen(function*() {
      const breaker = yield* halfOpen({ maxDuration: "1 minute" })
      let running = 0
      const probe = yield* now(breaker.run(key, Effect.suspend(() => (running++, Effect.never))))
      for (let i = 0; i < 20; i++) {
        yield* TestClock.adjust("1 second")
        yield* Effect.exit(breaker.run(key, Effect.sync(() => running++)))
      }
      assert.strictEqual(running, 1)
      yield* Fiber.interrupt(probe)
    }))
  it.effect("a probe that never ends is bounded in time", () =>
    Effect.gen(function*() {
      const breaker = yield* halfOpen({ maxDuration: "5 seconds" })
      yield* now(breaker.run(key, Effect.never))
      yield* TestClock.adjust("6 seconds")
      yield* breaker.run(key, Effect.void)
      assert.strictEqual((yield* breaker.snapshot(key)).state, "Closed")
    }))
  it.effect("a failed or neutral probe gives its permit back as well", () =>
    Effect.gen(function*() {
      const breaker = yield* halfOpen({})
      yield* Effect.exit(breaker.run(key, Effect.fail("mine"), { classify: () => "neutral" }))
      yield* Effect.exit(breaker.run(key, Effect.fail("down")))
      yield* TestClock.adjust("1 second")
      yield* breaker.run(key, Effect.void)
      assert.strictEqual((yield* breaker.snapshot(key)).state, "Closed")
    }))
})
