import { assert } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { InvalidOption, LatencyWindow, RetrySchedule } from "effect-lifecycle/resilience"
import { differs, equal, type Topic } from "../ported.ts"

const step = (random = 0.5): RetrySchedule.DelayStep => ({ previousMillis: 0, nowNanos: 0n, random })

const waits = (delay: RetrySchedule.Delay, count = 3) =>
  Array.from({ length: count }, (_, index) => delay(index + 1, step()))

const refused = (make: () => void) => Effect.sync(() => assert.throws(make, InvalidOption.InvalidOption))

const filled = (millis: ReadonlyArray<number>, options: Parameters<typeof LatencyWindow.make>[0] = {}) => {
  const window = LatencyWindow.make(options)
  for (const one of millis) window.record(one, 0n)
  return window
}

/** How long to wait before the next attempt. */
export const delays: Topic = {
  source: "aio-request",
  title: "aio-request: delays",
  file: "delays.ts",
  behaviours: [
    equal(
      "delay-linear",
      "waits 50, 100, 150 ms before jitter, unless told otherwise",
      () => Effect.sync(() => assert.deepStrictEqual(waits(RetrySchedule.linear()), [50, 100, 150]))
    ),
    equal("delay-linear-jitter", "shakes them by 20 %: 40-60, 80-120, 120-180 ms", () =>
      Effect.sync(() => {
        const jitter = RetrySchedule.plusMinus(0.2)
        for (const [index, millis] of waits(RetrySchedule.linear()).entries()) {
          const least = jitter(millis, 0)
          const most = jitter(millis, 0.999999)
          assert.closeTo(least, 40 * (index + 1), 0.01)
          assert.closeTo(most, 60 * (index + 1), 0.01)
        }
      })),
    equal(
      "delay-linear-minimum",
      "adds a minimum: 0.1 s and 0.1 s a step make 200, 300 ms",
      () =>
        Effect.sync(() =>
          assert.deepStrictEqual(
            waits(RetrySchedule.linear({ start: "100 millis", step: "100 millis" }), 2),
            [200, 300]
          )
        )
    ),
    equal(
      "delay-constant",
      "waits the same every time with constant delays",
      () => Effect.sync(() => assert.deepStrictEqual(waits(RetrySchedule.constant("70 millis")), [70, 70, 70]))
    ),
    differs("delay-kinds", {
      theirs: "knows constant, linear and percentile delays",
      ours: "knows exponential, Fibonacci and decorrelated ones as well, and no, equal, full and plus-minus jitter",
      reason: "linear delays of many clients still meet"
    }, () =>
      Effect.sync(() => {
        assert.deepStrictEqual(waits(RetrySchedule.exponential()), [100, 200, 400])
        assert.strictEqual(waits(RetrySchedule.fibonacci()).length, 3)
        assert.strictEqual(RetrySchedule.full(100, 0), 0)
      })),
    equal(
      "percentile-defaults",
      "takes the 95th percentile, between 50 ms and 10 s, times the attempt",
      () =>
        Effect.sync(() => {
          const hundred = Array.from({ length: 100 }, (_, index) => (index + 1) * 10)
          const [first = 0, second = 0] = waits(RetrySchedule.percentile(filled(hundred)), 2)
          assert.closeTo(first, 950, 30)
          assert.closeTo(second, 2 * first, 0.001)
          const quick = waits(RetrySchedule.percentile(filled(hundred.map(() => 1))), 2)
          assert.deepStrictEqual(quick, [50, 100])
          const slow = waits(RetrySchedule.percentile(filled(hundred.map(() => 60_000))), 1)
          assert.deepStrictEqual(slow, [10_000])
        })
    ),
    differs("percentile-no-data", {
      theirs: "waits the minimum before every attempt as long as there are no data, so hedges 1 and 2 fire together",
      ours: "waits the minimum times the attempt",
      reason: "a client that has just started would otherwise triple its load",
      rule: "T16"
    }, () => Effect.sync(() => assert.deepStrictEqual(waits(RetrySchedule.percentile(filled([]))), [50, 100, 150]))),
    differs("percentile-warm-up", {
      theirs: "believes a single sample",
      ours: "believes the quantile from a minimum number of samples",
      reason: "the 95th percentile of one number is that number",
      rule: "T16"
    }, () => Effect.sync(() => assert.deepStrictEqual(waits(RetrySchedule.percentile(filled([4000])), 1), [50]))),
    differs("percentile-censored", {
      theirs: "does not see losers that were cancelled, so the quantile shrinks and hedges fire ever earlier",
      ours: "counts a cancelled loser as at least as slow as it had been",
      reason: "the slow ones are those that get cancelled",
      rule: "T16"
    }, () =>
      Effect.sync(() => {
        const blind = LatencyWindow.make({})
        const seeing = LatencyWindow.make({})
        for (let index = 0; index < 200; index++) {
          const slow = index % 4 === 0
          if (!slow) blind.record(100, 0n)
          if (slow) seeing.recordCensored(900, 0n)
          else seeing.record(100, 0n)
        }
        assert.closeTo(blind.quantile(0.95, 0n) ?? 0, 100, 10)
        assert.isAtLeast(seeing.quantile(0.95, 0n) ?? 0, 850)
      })),
    equal("percentile-window", "forgets what is older than five minutes", () =>
      Effect.sync(() => {
        const window = filled(Array.from({ length: 100 }, () => 500))
        assert.closeTo(window.quantile(0.95, 0n) ?? 0, 500, 25)
        assert.isUndefined(window.quantile(0.95, Duration.toNanosUnsafe(Duration.minutes(11))))
      })),
    equal(
      "delay-refuses",
      "refuses negative delays, a minimum above the maximum and a percentile outside of 0 to 1",
      () =>
        Effect.gen(function*() {
          const window = filled([])
          yield* refused(() => RetrySchedule.constant(-1))
          yield* refused(() => RetrySchedule.linear({ step: -1 }))
          yield* refused(() => RetrySchedule.percentile(window, { quantile: 1.5 }))
          yield* refused(() => RetrySchedule.percentile(window, { minimum: "2 seconds", maximum: "1 second" }))
        })
    )
  ]
}
