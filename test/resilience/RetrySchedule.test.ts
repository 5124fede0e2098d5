import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Option, Schedule, Schema } from "effect"
import { RetrySchedule } from "effect-lifecycle/resilience"

const waits = Effect.fnUntraced(function*(schedule: Schedule.Schedule<Duration.Duration>) {
  const step = yield* Schedule.toStep(schedule)
  const chosen: Array<number> = []
  for (let now = 0; chosen.length < 20; now += chosen.at(-1) ?? 0) {
    const next = yield* Effect.option(step(now, undefined))
    if (Option.isNone(next)) break
    chosen.push(Duration.toMillis(next.value[1]))
  }
  return chosen
})

describe("RetrySchedule", () => {
  it.effect("counts attempts, not retries", () =>
    Effect.gen(function*() {
      let calls = 0
      const schedule = RetrySchedule.make({ attempts: 3, delay: RetrySchedule.constant(0) })
      yield* Effect.exit(
        Effect.suspend(() => {
          calls++
          return Effect.fail("no")
        }).pipe(Effect.retry(schedule))
      )
      assert.strictEqual(calls, 3)
    }))
  it.effect("one attempt is no retry", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* waits(RetrySchedule.make({ attempts: 1 })), [])
    }))
  it.effect("knows constant, linear and exponential delays, capped", () =>
    Effect.gen(function*() {
      const of = (delay: RetrySchedule.Delay) =>
        waits(RetrySchedule.make({ attempts: 5, delay, jitter: RetrySchedule.none, cap: "300 millis" }))
      assert.deepStrictEqual(yield* of(RetrySchedule.constant(70)), [70, 70, 70, 70])
      assert.deepStrictEqual(yield* of(RetrySchedule.linear()), [50, 100, 150, 200])
      assert.deepStrictEqual(yield* of(RetrySchedule.exponential()), [100, 200, 300, 300])
    }))
  const Random = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
  it.prop("jitter stays inside its promise", [Random], ([random]) => {
    assert.isTrue(RetrySchedule.full(100, random) <= 100 && RetrySchedule.full(100, random) >= 0)
    assert.isTrue(RetrySchedule.equal(100, random) >= 50 && RetrySchedule.equal(100, random) <= 100)
    const around = RetrySchedule.plusMinus(0.2)(100, random)
    assert.isTrue(around >= 79.999 && around <= 120.001)
  })
  it("names the option, the value and what is allowed", () => {
    assert.throws(() => RetrySchedule.make({ attempts: Number.NaN }), /attempts must be a whole number from 1, got NaN/)
    assert.throws(() => RetrySchedule.constant(Number.POSITIVE_INFINITY), /delay must be a finite duration/)
    assert.throws(() => RetrySchedule.plusMinus(2), /share must be from 0 to 1, got 2/)
  })
})
