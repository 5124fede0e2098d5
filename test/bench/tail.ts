/**
 * Latency models with a closed form, and what "The Tail at Scale" (Dean and Barroso, CACM 56(2), 2013) says of them.
 *
 * Model times are milliseconds. The clock of a run is virtual and counts thousandths of them, so that rounding cannot move a
 * quantile.
 */
import { Clock, Effect, Fiber } from "effect"
import type { RequestStrategy } from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"

/** The share of calls that take longer than a time. */
export type Survival = (millis: number) => number

/** A generator of numbers in [0, 1) that a seed repeats (mulberry32, Tommy Ettinger, public domain). */
export const seeded = (seed: number): () => number => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The time that a share of `survival` exceeds. */
export const inverse = (survival: Survival) => (share: number): number => {
  let low = 0
  let high = 1
  while (survival(high) > share) high *= 2
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2
    if (survival(middle) > share) low = middle
    else high = middle
  }
  return high
}

/** A call whose second attempt begins after `delay`: it is late when both are. */
export const hedgedOnce = (survival: Survival, delay: number): Survival => (millis) =>
  millis < delay ? survival(millis) : survival(millis) * survival(millis - delay)

/** The slowest of `leaves` calls. */
export const fanOut = (survival: Survival, leaves: number): Survival => (millis) => 1 - (1 - survival(millis)) ** leaves

/** Straight lines between points in a plot with two logarithmic axes. */
export const logLog = (points: ReadonlyArray<readonly [millis: number, survival: number]>): Survival => (millis) => {
  const first = points[0]
  if (first === undefined || millis <= first[0]) return 1
  for (let i = 1; i < points.length; i++) {
    const [x0, y0] = points[i - 1]!
    const [x1, y1] = points[i]!
    if (millis <= x1 || i === points.length - 1) {
      return y0 * (millis / x0) ** (Math.log(y1 / y0) / Math.log(x1 / x0))
    }
  }
  return 0
}

/**
 * `count` shares that cover (0, 1) evenly, one from each stratum, in random order: the rarest latencies are then as frequent
 * as they should be, and not as luck has it.
 */
export const stratified = (count: number, random: () => number): Float64Array => {
  const shares = Float64Array.from({ length: count }, (_, i) => (i + random()) / count)
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    const swapped = shares[i]!
    shares[i] = shares[j]!
    shares[j] = swapped
  }
  return shares
}

const scale = 1000
const batch = 2000

export interface Measured {
  /** One a call, ascending. */
  readonly millis: Float64Array
  /** Attempts beyond the first, as a share of the calls. */
  readonly extra: number
}

/** Runs `calls` calls through `strategy` in virtual time; each attempt takes the time that `draw` gives it. */
export const measure = (
  strategy: RequestStrategy.RequestStrategy,
  calls: number,
  draw: (call: number, attempt: number) => number
): Effect.Effect<Measured> =>
  Effect.gen(function*() {
    const millis = new Float64Array(calls)
    let attempts = 0
    const call = (index: number) =>
      Effect.gen(function*() {
        const started = yield* Clock.currentTimeMillis
        yield* strategy.run((attempt) => {
          attempts++
          return Effect.sleep(Math.max(1, Math.round(draw(index, attempt.number) * scale)))
        }, { method: "GET" })
        millis[index] = ((yield* Clock.currentTimeMillis) - started) / scale
      })
    for (let from = 0; from < calls; from += batch) {
      const fibers = []
      for (let index = from; index < Math.min(calls, from + batch); index++) {
        fibers.push(yield* Effect.forkChild(call(index), { startImmediately: true }))
      }
      yield* TestClock.adjust("30 days")
      yield* Fiber.joinAll(fibers)
    }
    return { millis: millis.sort(), extra: attempts / calls - 1 }
  }).pipe(Effect.orDie, Effect.provide(TestClock.layer()))

/** The value that a share of ascending values does not exceed. */
export const quantile = (sorted: Float64Array, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? 0

/** The slowest of `leaves` measured calls, for each of `times` requests, ascending. */
export const drawFanOuts = (
  measured: Measured,
  leaves: number,
  times: number,
  random: () => number
): Float64Array =>
  Float64Array.from({ length: times }, () => {
    let slowest = 0
    for (let leaf = 0; leaf < leaves; leaf++) {
      const one = measured.millis[Math.floor(random() * measured.millis.length)]!
      if (one > slowest) slowest = one
    }
    return slowest
  }).sort()

/** The central 99 % of how often something of probability `p` happens in `n` trials. */
export const binomialBand = (n: number, p: number): readonly [low: number, high: number] => {
  let probability = (1 - p) ** n
  let sum = probability
  let low = sum > 0.005 ? 0 : -1
  for (let k = 0; k < n; k++) {
    if (sum > 0.995) return [low, k]
    probability *= ((n - k) / (k + 1)) * (p / (1 - p))
    sum += probability
    if (low < 0 && sum > 0.005) low = k + 1
  }
  return [low, n]
}
