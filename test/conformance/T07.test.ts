import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { CircuitBreaker } from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"

const key = "upstream"

/** The same clock, but for a wall clock that somebody has set by `millis`. */
const wallClock = (millis: number) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.updateService(self, Clock.Clock, (clock) => {
    const nanos = BigInt(millis) * 1_000_000n
    return {
      currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + millis,
      currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now + millis),
      currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe() + nanos,
      currentTimeNanos: Effect.map(clock.currentTimeNanos, (now) => now + nanos),
      monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
      monotonicTimeNanos: clock.monotonicTimeNanos,
      sleep: (duration) => clock.sleep(duration)
    }
  })
const jumps = [-3_600_000, 3_600_000]

describe("T07 the breaker lives by the monotonic clock", () => {
  for (const jump of jumps) {
    it.effect(`a wall clock that jumps by ${jump / 3_600_000} h moves nothing`, () =>
      Effect.gen(function*() {
        const breaker = yield* CircuitBreaker.make({
          name: "x",
          trip: CircuitBreaker.failureRate({
            failureThreshold: 0.5,
            minimumThroughput: 2,
            samplingDuration: "10 seconds"
          }),
          breakDuration: "1 minute",
          probe: { maxDuration: "1 minute" },
          keys: { idleTimeToLive: "30 minutes" }
        })
        const fail = Effect.exit(breaker.run(key, Effect.fail("down")))
        const snapshot = breaker.snapshot(key)
        yield* fail
        yield* fail.pipe(wallClock(jump))
        assert.strictEqual((yield* snapshot).state, "Open", "the window still holds the first failure")
        const jumped = yield* snapshot.pipe(wallClock(jump))
        assert.deepStrictEqual([jumped.state, jumped.retryAfterMillis], ["Open", 60_000])
        const refused = yield* Effect.flip(breaker.run(key, Effect.void)).pipe(wallClock(jump))
        assert.strictEqual(refused.retryAfterMillis, 60_000)
        yield* TestClock.adjust("1 minute")
        yield* Effect.forkChild(breaker.run(key, Effect.never), { startImmediately: true })
        assert.strictEqual((yield* snapshot.pipe(wallClock(jump))).state, "HalfOpen", "the probe still has time")
        assert.deepStrictEqual(yield* breaker.keys.pipe(wallClock(jump)), [key])
        yield* TestClock.adjust("2 minutes")
        yield* breaker.run(key, Effect.void).pipe(wallClock(jump))
        assert.strictEqual((yield* snapshot).state, "Closed")
      }))
  }
})
