import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { InvalidOption, LatencyWindow, RetrySchedule } from "effect-lifecycle/resilience"

const seconds = (n: number) => BigInt(n) * 1_000_000_000n
const within = (actual: number | undefined, expected: number, share: number) =>
  assert.closeTo(actual ?? Number.NaN, expected, expected * share)
const eager = (options: LatencyWindow.Options = {}) => LatencyWindow.make({ minimumSamples: 1, ...options })

// A generator of its own, so that the numbers are the same on every machine.
const randoms = (seed: number) => () => {
  seed = Math.imul(seed, 1664525) + 1013904223 >>> 0
  return (seed + 0.5) / 2 ** 32
}

describe("LatencyWindow", () => {
  const Millis = Schema.Finite.check(Schema.isBetween({ minimum: 0.001, maximum: 1e6 }))
  const Share = Schema.Finite.check(Schema.isBetween({ minimum: 0.01, maximum: 0.99 }))
  it.prop("is right to 1 % of the exact quantile, at any size", [
    Schema.Array(Millis).check(Schema.isMinLength(1)),
    Share
  ], ([values, q]) => {
    const window = eager()
    for (const value of values) window.record(value, 0n)
    const sorted = values.toSorted((a, b) => a - b)
    const exact = sorted[Math.ceil(q * values.length - 1e-9) - 1] ?? Number.NaN
    within(window.quantile(q, 0n), exact, 0.0101)
  })

  it.prop("never falls when q grows", [Schema.Array(Millis).check(Schema.isMinLength(1))], ([values]) => {
    const window = eager()
    for (const [index, value] of values.entries()) {
      if (index % 3 === 0) window.recordCensored(value, 0n)
      else window.record(value, 0n)
    }
    const quantiles = [0.1, 0.5, 0.9, 0.99].map((q) => window.quantile(q, 0n) ?? Number.NaN)
    assert.deepStrictEqual(quantiles, quantiles.toSorted((a, b) => a - b))
  })

  it("knows nothing before it has enough samples, censored ones included", () => {
    const window = LatencyWindow.make({ minimumSamples: 3 })
    window.record(10, 0n)
    window.recordCensored(10, 0n)
    assert.isUndefined(window.quantile(0.5, 0n))
    window.record(10, 0n)
    within(window.quantile(0.5, 0n), 10, 0.01)
    const standard = LatencyWindow.make()
    for (let n = 0; n < 19; n++) standard.record(10, 0n)
    assert.isUndefined(standard.quantile(0.5, 0n))
    standard.record(10, 0n)
    assert.isDefined(standard.quantile(0.5, 0n))
  })

  it("ignores what is not a time, and takes zero for zero", () => {
    const window = eager()
    for (const value of [Number.NaN, -1, Number.POSITIVE_INFINITY]) window.record(value, 0n)
    assert.strictEqual(window.samples(0n), 0)
    window.record(0, 0n)
    assert.strictEqual(window.quantile(0.5, 0n), 0)
  })

  describe("window", () => {
    it("keeps all of the window, and forgets at the latest one bucket later", () => {
      const window = eager({ window: "10 seconds", buckets: 2 })
      window.record(5, 0n)
      window.record(7, seconds(4))
      assert.strictEqual(window.samples(seconds(10)), 2)
      assert.strictEqual(window.samples(seconds(14)), 2)
      assert.strictEqual(window.samples(seconds(15)), 0)
      assert.isUndefined(window.quantile(0.5, seconds(15)))
    })
    it("forgets everything after a long silence", () => {
      const window = eager({ window: "10 seconds", buckets: 2 })
      window.record(5, 0n)
      assert.strictEqual(window.samples(seconds(1_000_000)), 0)
      window.record(8, seconds(1_000_001))
      within(window.quantile(0.5, seconds(1_000_001)), 8, 0.01)
    })
    it("follows a change", () => {
      const window = eager({ window: "10 seconds", buckets: 5 })
      for (let second = 0; second < 100; second++) {
        for (let n = 0; n < 10; n++) window.record(second < 50 ? 10 : 1000, seconds(second))
      }
      within(window.quantile(0.5, seconds(99)), 1000, 0.01)
    })
    it("counts a sample with an older time where it is now, and loses none", () => {
      const window = eager({ window: "10 seconds" })
      window.record(5, seconds(100))
      window.record(6, seconds(1))
      assert.strictEqual(window.samples(seconds(100)), 2)
    })
    it("sees every new sample while there are few", () => {
      const window = eager()
      window.record(10, 0n)
      within(window.quantile(0.5, 0n), 10, 0.01)
      window.record(1, 0n)
      within(window.quantile(0.5, 0n), 1, 0.01)
    })
  })

  describe("censored samples", () => {
    it("agrees with the product-limit estimator worked out by hand", () => {
      // Times 1, 2+, 3, 4+, 5, where + is censored: S(1) = 4/5, S(3) = 4/5 * 2/3 = 8/15, S(5) = 0.
      const window = eager()
      for (const millis of [1, 3, 5]) window.record(millis, 0n)
      for (const millis of [2, 4]) window.recordCensored(millis, 0n)
      within(window.quantile(0.19, 0n), 1, 0.01)
      within(window.quantile(0.21, 0n), 3, 0.01)
      within(window.quantile(0.46, 0n), 3, 0.01)
      within(window.quantile(0.47, 0n), 5, 0.01)
    })
    it("answers with the longest that is known to have been exceeded where nothing was seen beyond", () => {
      const window = eager()
      for (let n = 0; n < 90; n++) window.record(100, 0n)
      for (let n = 0; n < 10; n++) window.recordCensored(700, 0n)
      within(window.quantile(0.95, 0n), 700, 0.01)
      within(window.quantile(0.5, 0n), 100, 0.01)
    })
    it("finds the true quantile of attempts that hedges cut short, which leaving them out does not", () => {
      const random = randoms(7)
      const exponential = () => -100 * Math.log(random())
      const truth = -100 * Math.log(0.05)
      const whole = LatencyWindow.make()
      const blind = LatencyWindow.make()
      for (let call = 0; call < 20_000; call++) {
        const first = exponential()
        if (first <= 50) {
          whole.record(first, 0n)
          blind.record(first, 0n)
          continue
        }
        const second = exponential()
        const end = Math.min(first, 50 + second)
        blind.record(first < 50 + second ? first : second, 0n)
        if (first < 50 + second) {
          whole.record(first, 0n)
          whole.recordCensored(end - 50, 0n)
        } else {
          whole.record(second, 0n)
          whole.recordCensored(end, 0n)
        }
      }
      within(whole.quantile(0.95, 0n), truth, 0.05)
      assert.isBelow(blind.quantile(0.95, 0n) ?? 0, truth * 0.8)
    })
  })

  describe("keyed", () => {
    it("keeps a window for each key, and never more than the maximum", () => {
      const windows = LatencyWindow.keyed({ minimumSamples: 1, maximum: 2 })
      windows.get("a").record(1, 0n)
      windows.get("b").record(2, 0n)
      assert.strictEqual(windows.get("a").samples(0n), 1)
      windows.get("c").record(3, 0n)
      assert.strictEqual(windows.size(), 2)
      assert.strictEqual(windows.get("a").samples(0n), 1)
      assert.strictEqual(windows.get("b").samples(0n), 0)
    })
  })

  it("drives a percentile delay", () => {
    const window = eager()
    const delay = RetrySchedule.percentile(window)
    const step = { previousMillis: 0, nowNanos: 0n, random: 0 }
    assert.deepStrictEqual([delay(1, step), delay(2, step)], [50, 100])
    for (let n = 0; n < 100; n++) window.record(200, 0n)
    within(delay(1, step), 200, 0.01)
    within(delay(3, step), 600, 0.01)
  })

  it("refuses options that make no sense", () => {
    const wrong = [
      () => LatencyWindow.make({ window: 0 }),
      () => LatencyWindow.make({ window: "2 days" }),
      () => LatencyWindow.make({ buckets: 0 }),
      () => LatencyWindow.make({ minimumSamples: 0 }),
      () => LatencyWindow.keyed({ maximum: 0 }),
      () => LatencyWindow.keyed({ window: 0 }),
      () => LatencyWindow.make().quantile(1, 0n),
      () => LatencyWindow.make().quantile(0, 0n)
    ]
    for (const make of wrong) assert.throws(make, InvalidOption.InvalidOption)
  })
})
