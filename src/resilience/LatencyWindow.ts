/**
 * The latencies of the last minutes, as quantiles: when is a call late?
 *
 * It is a histogram with buckets that grow by 2 %, so a quantile is right to 1 % of its value at any size, in a few
 * kilobytes (Masson, Rim and Lee, "DDSketch", PVLDB 12(12), 2019). The window is a ring of `buckets` slices that is moved by
 * whoever records or asks; there is no timer. What is older than the window is forgotten at the latest one slice later.
 *
 * An attempt that was interrupted, because another one had won, is *censored*: we know that it took longer than it ran,
 * not how long. To leave such attempts out would make the quantile shrink with every hedge, and the next hedge come
 * earlier. {@link LatencyWindow.recordCensored} counts them as what they are, with the product-limit estimator (Kaplan and
 * Meier, JASA 53, 1958): their weight goes to the latencies above. Where there are none the answer is the longest that a
 * censored attempt ran.
 *
 * **Gotchas**
 *
 * - Until `minimumSamples` are there it knows nothing: the 95th percentile of one number is that number.
 * - It is mutable, and recording is synchronous, so it can be called from any hot path. One belongs to one process.
 *
 * @example
 * ```ts
 * import { LatencyWindow, RetrySchedule } from "effect-lifecycle/resilience"
 * import assert from "node:assert/strict"
 *
 * const window = LatencyWindow.make({ window: "1 minute", minimumSamples: 100 })
 * assert.equal(window.quantile(0.95, 0n), undefined)
 *
 * for (let millis = 1; millis <= 100; millis++) window.record(millis, 0n)
 * const p95 = window.quantile(0.95, 0n) ?? 0
 * assert.ok(p95 > 94 && p95 < 96)
 *
 * const delay = RetrySchedule.percentile(window, { quantile: 0.95, minimum: 10 })
 * assert.equal(delay(2, { previousMillis: 0, nowNanos: 0n, random: 0 }), 2 * p95)
 * ```
 *
 * @since 0.1.0
 */
import type { Duration } from "effect"
import { makeBounded } from "./internal/boundedMap.ts"
import { makeHistogram, merged } from "./internal/histogram.ts"
import { inside, millisBetween, wholeNumber } from "./InvalidOption.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface LatencyWindow {
  /** Something took so long. What is not a number from 0 is ignored. */
  readonly record: (millis: number, nowNanos: bigint) => void
  /** Something was interrupted after so long: it would have taken longer. */
  readonly recordCensored: (millis: number, nowNanos: bigint) => void
  /** The time that the share `q` (above 0, below 1) stays within; `undefined` while there are too few samples. */
  readonly quantile: (q: number, nowNanos: bigint) => number | undefined
  /** How many samples the window has, censored ones included. */
  readonly samples: (nowNanos: bigint) => number
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** From 1 second to 1 day; 5 minutes when absent. */
  readonly window?: Duration.Input | undefined
  /** Slices of the window, up to 100; 2 when absent. */
  readonly buckets?: number | undefined
  /** From 1; 20 when absent, the fewest of which one lies beyond the 95th percentile. */
  readonly minimumSamples?: number | undefined
}

/**
 * An empty window.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): LatencyWindow => {
  const module = "LatencyWindow.make"
  const windowMillis = millisBetween(module, "window", options.window ?? "5 minutes", 1000, 86_400_000)
  const buckets = wholeNumber(module, "buckets", options.buckets ?? 2, 1, 100)
  const minimumSamples = wholeNumber(module, "minimumSamples", options.minimumSamples ?? 20, 1, 1_000_000)
  const sliceNanos = windowMillis * 1e6 / buckets
  // One more than the window has, so that what is there always covers all of it.
  const slices = Array.from({ length: buckets + 1 }, makeHistogram)
  let started: bigint | undefined = undefined
  let current = 0
  let samples = 0
  let whole = merged([])
  let wholeSamples = -1

  const move = (nowNanos: bigint): void => {
    started ??= nowNanos
    const slice = Math.floor(Number(nowNanos - started) / sliceNanos)
    if (slice <= current) return
    const first = Math.max(current + 1, slice - buckets)
    for (let at = first; at <= slice; at++) {
      const old = slices[at % slices.length]
      if (old !== undefined) samples -= old.clear()
    }
    current = slice
    wholeSamples = -1
  }

  const add = (censored: boolean) => (millis: number, nowNanos: bigint): void => {
    if (!(millis >= 0) || millis === Number.POSITIVE_INFINITY) return
    move(nowNanos)
    slices[current % slices.length]?.add(millis, censored)
    samples++
  }

  return {
    record: add(false),
    recordCensored: add(true),
    quantile: (q, nowNanos) => {
      inside("LatencyWindow.quantile", "q", q, 0, 1)
      move(nowNanos)
      if (samples < minimumSamples) return undefined
      // It is read for each hedge: a hundredth more samples changes nothing that matters.
      if (wholeSamples < 0 || samples - wholeSamples > wholeSamples / 100) {
        whole = merged(slices)
        wholeSamples = samples
      }
      return whole(q)
    },
    samples: (nowNanos) => {
      move(nowNanos)
      return samples
    }
  }
}

/**
 * A window for each key, such as method and route.
 *
 * @category models
 * @since 0.1.0
 */
export interface Keyed {
  readonly get: (key: string) => LatencyWindow
  /** Never above the maximum. */
  readonly size: () => number
}

/**
 * A window for each key, made when the key is first seen. Beyond `maximum` keys (1,000 when absent) the one that was asked
 * for least recently is forgotten.
 *
 * Use the template of a path as the key, never the path itself.
 *
 * @category constructors
 * @since 0.1.0
 */
export const keyed = (options: Options & { readonly maximum?: number | undefined } = {}): Keyed => {
  const maximum = wholeNumber("LatencyWindow.keyed", "maximum", options.maximum ?? 1000, 1, 1_000_000)
  make(options)
  const windows = makeBounded<LatencyWindow>(maximum)
  return {
    get: (key) => windows.get(key) ?? windows.set(key, make(options)),
    size: windows.size
  }
}
