/**
 * Concurrency limits that learn from how long calls take, as pure functions.
 *
 * The formulas and defaults are those of Netflix's concurrency-limits (https://github.com/Netflix/concurrency-limits,
 * `Gradient2Limit`, `VegasLimit`, `AIMDLimit`); what differs is said beside it.
 */
import type { Duration } from "effect"
import { between, finiteMillis, InvalidOption, wholeNumber } from "../InvalidOption.ts"

/**
 * What the end of a call says to an adaptive limit: a time to learn from, an overload, or nothing.
 *
 * @category models
 * @since 0.1.0
 */
export type Signal = "sample" | "drop" | "ignore"

/**
 * What every limit algorithm keeps: the limit, which may have a fraction.
 *
 * @category models
 * @since 0.1.0
 */
export interface LimitState {
  readonly limit: number
}

/**
 * One call that has ended, as a limit algorithm sees it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sample {
  /** How long the call ran; the wait in the queue is not part of it. */
  readonly millis: number
  /** How many were running when it began, itself included. */
  readonly inFlight: number
  /** It was turned away by the other side, or its time was up. */
  readonly dropped: boolean
  /** From 0 to 1, for algorithms that spread their probes. */
  readonly random: number
}

/**
 * A limit algorithm: a state to begin with and a pure step.
 *
 * @category models
 * @since 0.1.0
 */
export interface Algorithm<State extends LimitState> {
  readonly name: string
  readonly initial: State
  readonly update: (state: State, sample: Sample) => State
  /** The same state with another limit, held to the algorithm's bounds. */
  readonly resize: (state: State, limit: number) => State
}

interface Bounds {
  readonly initial: number
  readonly minimum: number
  readonly maximum: number
}

const bounds = (
  module: string,
  options: {
    readonly initial?: number | undefined
    readonly minimum?: number | undefined
    readonly maximum?: number | undefined
  },
  maximumByDefault: number
): Bounds => {
  const minimum = wholeNumber(module, "minimum", options.minimum ?? 1, 1)
  const maximum = wholeNumber(module, "maximum", options.maximum ?? Math.max(maximumByDefault, minimum), minimum)
  const initial = options.initial ?? Math.min(maximum, Math.max(minimum, 20))
  wholeNumber(module, "initial", initial, 1)
  return { initial: between(module, "initial", initial, minimum, maximum), minimum, maximum }
}

const clamp = (value: number, minimum: number, maximum: number): number => Math.max(minimum, Math.min(maximum, value))

/**
 * @category options
 * @since 0.1.0
 */
export interface GradientOptions {
  /** Default 20, within the bounds. */
  readonly initial?: number | undefined
  /** Default 1. */
  readonly minimum?: number | undefined
  /** Default 200. */
  readonly maximum?: number | undefined
  /** How much of a new estimate is taken over at once, above 0 and up to 1. Default 0.2. */
  readonly smoothing?: number | undefined
  /** By how much the limit may grow while calls stay fast. Default 4. */
  readonly queueSize?: number | undefined
  /** Over how many calls the usual time is averaged. Default 600. */
  readonly longWindow?: number | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface GradientState extends LimitState {
  /** The usual time of a call: a mean of the first ten, then an exponential average. */
  readonly longMillis: number
  readonly samples: number
}

// The first calls are averaged evenly, so that one slow start does not become the norm.
const warmUp = 10

/**
 * Gradient2: compares each call with the usual time, and lets the limit shrink by their ratio, at most by half.
 *
 * A dropped call lowers the limit like the slowest one; Netflix's version looks at times only. `minimum` is 1 here, as in
 * failsafe-go, and 20 there.
 *
 * @category algorithms
 * @since 0.1.0
 */
export const gradient = (options: GradientOptions = {}): Algorithm<GradientState> => {
  const module = "Bulkhead.gradient"
  const { initial, maximum, minimum } = bounds(module, options, 200)
  const smoothing = share(module, "smoothing", options.smoothing ?? 0.2)
  const queueSize = wholeNumber(module, "queueSize", options.queueSize ?? 4, 1)
  const factor = 2 / (wholeNumber(module, "longWindow", options.longWindow ?? 600, 1) + 1)
  return {
    name: "gradient",
    initial: { limit: initial, longMillis: 0, samples: 0 },
    update: (state, sample) => {
      // A call that was cut short says nothing about how long calls take.
      if (sample.dropped) {
        return { ...state, limit: clamp(state.limit * (1 - smoothing / 2), minimum, maximum) }
      }
      const millis = Math.max(sample.millis, smallestMillis)
      const samples = Math.min(state.samples + 1, warmUp)
      const weight = state.samples < warmUp ? 1 / samples : factor
      const usual = state.longMillis + (millis - state.longMillis) * weight
      // After a long time of load the usual time is too long, and would take too long to come down by itself.
      const longMillis = usual > 2 * millis ? usual * 0.9 : usual
      // A limit that is not used must not grow.
      if (sample.inFlight < state.limit / 2) return { limit: state.limit, longMillis, samples }
      const wanted = state.limit * clamp(usual / millis, 0.5, 1) + queueSize
      const limit = clamp(state.limit * (1 - smoothing) + wanted * smoothing, minimum, maximum)
      return { limit, longMillis, samples }
    },
    resize: (state, limit) => ({ ...state, limit: clamp(limit, minimum, maximum) })
  }
}

/**
 * @category options
 * @since 0.1.0
 */
export interface VegasOptions {
  /** Default 20, within the bounds. */
  readonly initial?: number | undefined
  /** Default 1. */
  readonly minimum?: number | undefined
  /** Default 1000. */
  readonly maximum?: number | undefined
  /** How much of a new estimate is taken over at once, above 0 and up to 1. Default 1. */
  readonly smoothing?: number | undefined
  /** The shortest time is measured anew every this many times the limit. Default 30. */
  readonly probeMultiplier?: number | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface VegasState extends LimitState {
  /** The shortest time seen since the last probe; 0 before the first call. */
  readonly shortestMillis: number
  readonly sinceProbe: number
  /** Spreads the probes of many clients: from 0.5 to 1. */
  readonly probeJitter: number
}

/**
 * Vegas: takes the shortest time for the time without a queue, reckons from each call how many calls queue at the other
 * side (`limit * (1 - shortest / time)`), and keeps that between 3 and 6 times log10 of the limit.
 *
 * The first probe comes after `0.75 * probeMultiplier * limit` calls, so that the initial state is a plain value; later
 * ones are drawn. A dropped call lowers the limit and never counts as the shortest.
 *
 * @category algorithms
 * @since 0.1.0
 */
export const vegas = (options: VegasOptions = {}): Algorithm<VegasState> => {
  const module = "Bulkhead.vegas"
  const { initial, maximum, minimum } = bounds(module, options, 1000)
  const smoothing = share(module, "smoothing", options.smoothing ?? 1)
  const multiplier = wholeNumber(module, "probeMultiplier", options.probeMultiplier ?? 30, 1)
  const towards = (state: VegasState, wanted: number) =>
    state.limit * (1 - smoothing) + clamp(wanted, minimum, maximum) * smoothing
  return {
    name: "vegas",
    initial: { limit: initial, shortestMillis: 0, sinceProbe: 0, probeJitter: 0.75 },
    update: (state, sample) => {
      const sinceProbe = state.sinceProbe + 1
      const step = log10(state.limit)
      if (sample.dropped) return { ...state, sinceProbe, limit: towards(state, state.limit - step) }
      const millis = Math.max(sample.millis, smallestMillis)
      if (sinceProbe >= state.probeJitter * multiplier * state.limit) {
        return { limit: state.limit, shortestMillis: millis, sinceProbe: 0, probeJitter: 0.5 + sample.random / 2 }
      }
      if (state.shortestMillis === 0 || millis < state.shortestMillis) {
        return { ...state, sinceProbe, shortestMillis: millis }
      }
      // A limit that is not used must not grow.
      if (sample.inFlight * 2 < state.limit) return { ...state, sinceProbe }
      const queued = Math.ceil(state.limit * (1 - state.shortestMillis / millis))
      const wanted = queued <= step
        ? state.limit + 6 * step
        : queued < 3 * step
        ? state.limit + step
        : queued > 6 * step
        ? state.limit - step
        : state.limit
      return wanted === state.limit ? { ...state, sinceProbe } : { ...state, sinceProbe, limit: towards(state, wanted) }
    },
    resize: (state, limit) => ({ ...state, limit: clamp(limit, minimum, maximum) })
  }
}

/**
 * @category options
 * @since 0.1.0
 */
export interface AimdOptions {
  /** Default 20, within the bounds. */
  readonly initial?: number | undefined
  /** Default 1. */
  readonly minimum?: number | undefined
  /** Default 200. */
  readonly maximum?: number | undefined
  /** What is left of the limit after a dropped call, from 0.5 and below 1. Default 0.9. */
  readonly backoffRatio?: number | undefined
  /** A call that took longer counts as dropped. Default 5 seconds. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * AIMD, as TCP does it: one more after a good call while at least half of the limit is used, a tenth less after a dropped
 * or slow one.
 *
 * @category algorithms
 * @since 0.1.0
 */
export const aimd = (options: AimdOptions = {}): Algorithm<LimitState> => {
  const module = "Bulkhead.aimd"
  const { initial, maximum, minimum } = bounds(module, options, 200)
  const ratio = between(module, "backoffRatio", options.backoffRatio ?? 0.9, 0.5, 0.99)
  const timeoutMillis = finiteMillis(module, "timeout", options.timeout ?? "5 seconds")
  if (timeoutMillis === 0) throw new InvalidOption({ module, option: "timeout", value: "0", allowed: "above 0" })
  return {
    name: "aimd",
    initial: { limit: initial },
    update: (state, sample) => {
      const limit = sample.dropped || sample.millis > timeoutMillis
        ? Math.min(state.limit - 1, Math.floor(state.limit * ratio))
        : sample.inFlight * 2 >= state.limit
        ? state.limit + 1
        : state.limit
      return { limit: clamp(limit, minimum, maximum) }
    },
    resize: (_, limit) => ({ limit: clamp(limit, minimum, maximum) })
  }
}

const log10 = (limit: number): number => Math.max(1, Math.floor(Math.log10(limit)))

const share = (module: string, option: string, value: number): number => {
  if (value > 0 && value <= 1) return value
  throw new InvalidOption({ module, option, value: String(value), allowed: "above 0 and up to 1" })
}

// A clock that stands still measures 0, and a ratio to 0 says nothing.
const smallestMillis = 0.001
