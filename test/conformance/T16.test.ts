import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { LatencyWindow, RetrySchedule } from "effect-lifecycle/resilience"

const at = (delay: RetrySchedule.Delay, retry: number, nowNanos = 0n) =>
  delay(retry, { previousMillis: 0, nowNanos, random: 0.5 })

const near = (actual: number, expected: number) => assert.closeTo(actual, expected, expected * 0.0101)

describe("T16: quantile delays need samples, count what was cut short, and are bounded", () => {
  it("without data delay n is n times the minimum, so that hedges do not fire together", () => {
    const delay = RetrySchedule.percentile(LatencyWindow.make(), { minimum: 50 })
    assert.deepStrictEqual([1, 2, 3].map((retry) => at(delay, retry)), [50, 100, 150])
  })

  it("with data it is n times the quantile, between minimum and maximum", () => {
    const window = LatencyWindow.make()
    const delay = RetrySchedule.percentile(window)
    for (let millis = 1; millis <= 1000; millis++) window.record(millis, 0n)
    near(at(delay, 1), 950)
    near(at(delay, 2), 1900)
    const bounded = RetrySchedule.percentile(window, { minimum: 1000, maximum: 2000 })
    assert.deepStrictEqual([1, 2].map((retry) => at(bounded, retry)), [1000, 2000])
    const capped = RetrySchedule.percentile(window, { maximum: 100 })
    assert.deepStrictEqual([1, 2].map((retry) => at(capped, retry)), [100, 200])
  })

  const Minimum = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 200 }))
  it.prop(
    "believes the quantile from the minimum number of samples, not one earlier",
    [Minimum],
    ([minimumSamples]) => {
      const window = LatencyWindow.make({ minimumSamples })
      const delay = RetrySchedule.percentile(window)
      for (let n = 1; n < minimumSamples; n++) window.record(4000, 0n)
      assert.strictEqual(at(delay, 1), 50)
      window.record(4000, 0n)
      near(at(delay, 1), 4000)
    }
  )

  it("counts a loser that was cut short, so the quantile does not shrink with every hedge", () => {
    // A tenth of the attempts hang; each of them is interrupted after 300 ms, when its hedge has answered.
    const window = LatencyWindow.make()
    const delay = RetrySchedule.percentile(window)
    for (let call = 0; call < 1000; call++) {
      if (call % 10 === 0) window.recordCensored(300, 0n)
      window.record(100, 0n)
    }
    near(at(delay, 1), 300)
  })

  it("does not feed back: hedging at the quantile leaves the quantile where it is", () => {
    // Nine of ten attempts take 100 ms, the others 1 s; the tenth of the hedges that is slow is censored in turn.
    const window = LatencyWindow.make({ minimumSamples: 100 })
    let seed = 1
    const random = () => (seed = Math.imul(seed, 1664525) + 1013904223 >>> 0) / 2 ** 32
    const latency = () => random() < 0.9 ? 100 : 1000
    const seen: Array<number> = []
    for (let call = 0; call < 20_000; call++) {
      const due = at(RetrySchedule.percentile(window), 1)
      const first = latency()
      if (first <= due) {
        window.record(first, 0n)
      } else {
        const second = latency()
        const end = Math.min(first, due + second)
        if (end === first) {
          window.record(first, 0n)
          window.recordCensored(end - due, 0n)
        } else {
          window.record(second, 0n)
          window.recordCensored(end, 0n)
        }
      }
      if (call % 1000 === 999) seen.push(window.quantile(0.95, 0n) ?? 0)
    }
    // A blind window would say 100: the slow ones are those that are cut short.
    for (const quantile of seen) assert.isAtLeast(quantile, 190)
  })

  it("forgets what is older than the window", () => {
    const window = LatencyWindow.make({ window: "5 minutes", buckets: 2 })
    const delay = RetrySchedule.percentile(window)
    for (let n = 0; n < 100; n++) window.record(4000, 0n)
    near(at(delay, 1, 300_000_000_000n), 4000)
    assert.strictEqual(at(delay, 1, 450_000_000_000n), 50)
  })

  const Keys = Schema.Array(Schema.String).check(Schema.isMinLength(1))
  it.prop("never keeps more keys than its maximum, whatever callers send", [Keys], ([keys]) => {
    const windows = LatencyWindow.keyed({ maximum: 3 })
    for (const key of keys) {
      windows.get(key).record(10, 0n)
      assert.isAtMost(windows.size(), 3)
      assert.isAtLeast(windows.get(key).samples(0n), 1)
    }
    assert.strictEqual(windows.size(), Math.min(3, new Set(keys).size))
  })
})
