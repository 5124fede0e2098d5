import type { TripPolicy } from "./circuitPolicy.ts"
import {
  addToRing,
  addToWindow,
  emptyRing,
  emptyWindow,
  moveWindow,
  type RingCounts,
  type WindowCounts
} from "./circuitWindow.ts"

/**
 * What a closed circuit remembers, as its policy needs it.
 *
 * @category models
 * @since 0.1.0
 */
export type Counters =
  | { readonly _tag: "Consecutive"; readonly failures: number }
  | RingCounts
  | WindowCounts
  | { readonly _tag: "AnyOf"; readonly parts: ReadonlyArray<Counters> }

/**
 * How one part of a policy stands: of `calls` calls, `bad` failed or were slow, and it opens at `threshold`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Figure {
  readonly policy: Exclude<TripPolicy["_tag"], "AnyOf">
  readonly calls: number
  readonly bad: number
  /** The share of bad calls; of failures in a row, the share of the limit. */
  readonly rate: number
}

/** A policy ready to count. */
export interface Tracker {
  readonly initial: Counters
  readonly record: (counters: Counters, failed: boolean, durationMillis: number, nowMillis: number) => Counters
  /** Asked after a call that failed or was slow. */
  readonly tripped: (counters: Counters) => boolean
  readonly figures: (counters: Counters, nowMillis: number) => ReadonlyArray<Figure>
  /** A call is slow when it takes longer; infinite where no policy looks. */
  readonly slowerThanMillis: number
  /** Whether a success needs the time it ended at. */
  readonly timed: boolean
}

export const trackerOf = (policy: TripPolicy): Tracker => {
  switch (policy._tag) {
    case "Consecutive":
      return consecutive(policy.failures)
    case "CountRate":
      return ring(policy.failureThreshold, policy.minimumThroughput, policy.size)
    case "FailureRate":
      return window(policy, policy.failureThreshold, undefined)
    case "SlowCallRate":
      return window(policy, policy.slowThreshold, policy.slowerThanMillis)
    case "AnyOf": {
      const [only] = policy.policies
      return policy.policies.length === 1 && only !== undefined
        ? trackerOf(only)
        : anyOf(policy.policies.map(trackerOf))
    }
  }
}

const noFailures: Counters = { _tag: "Consecutive", failures: 0 }

const consecutive = (limit: number): Tracker => ({
  initial: noFailures,
  record: (counters, failed) => {
    if (!failed) return counters._tag === "Consecutive" && counters.failures === 0 ? counters : noFailures
    return { _tag: "Consecutive", failures: (counters._tag === "Consecutive" ? counters.failures : 0) + 1 }
  },
  tripped: (counters) => counters._tag === "Consecutive" && counters.failures >= limit,
  figures: (counters) => {
    const bad = counters._tag === "Consecutive" ? counters.failures : 0
    return [{ policy: "Consecutive", calls: bad, bad, rate: bad / limit }]
  },
  slowerThanMillis: Infinity,
  timed: false
})

const reached = (totalCalls: number, totalBad: number, minimum: number, threshold: number): boolean =>
  totalCalls >= minimum && totalBad / totalCalls >= threshold

const rateOf = (calls: number, bad: number): number => calls === 0 ? 0 : bad / calls

const ring = (threshold: number, minimum: number, size: number): Tracker => {
  const initial = emptyRing(size)
  return {
    initial,
    record: (counters, failed) => addToRing(counters._tag === "Ring" ? counters : initial, failed, size),
    tripped: (counters) =>
      counters._tag === "Ring" && reached(counters.totalCalls, counters.totalBad, minimum, threshold),
    figures: (counters) => {
      const { totalBad, totalCalls } = counters._tag === "Ring" ? counters : initial
      return [{ policy: "CountRate", calls: totalCalls, bad: totalBad, rate: rateOf(totalCalls, totalBad) }]
    },
    slowerThanMillis: Infinity,
    timed: false
  }
}

const window = (
  policy: { readonly minimumThroughput: number; readonly samplingMillis: number; readonly windows: number },
  threshold: number,
  slowerThanMillis: number | undefined
): Tracker => {
  const { minimumThroughput, windows } = policy
  const width = policy.samplingMillis / windows
  return {
    initial: emptyWindow,
    record: (counters, failed, durationMillis, nowMillis) =>
      addToWindow(
        counters._tag === "Window" ? counters : emptyWindow,
        slowerThanMillis === undefined ? failed : durationMillis > slowerThanMillis,
        Math.floor(nowMillis / width),
        windows
      ),
    tripped: (counters) =>
      counters._tag === "Window" && reached(counters.totalCalls, counters.totalBad, minimumThroughput, threshold),
    figures: (counters, nowMillis) => {
      const { totalBad, totalCalls } = counters._tag === "Window"
        ? moveWindow(counters, Math.floor(nowMillis / width), windows)
        : emptyWindow
      return [{
        policy: slowerThanMillis === undefined ? "FailureRate" : "SlowCallRate",
        calls: totalCalls,
        bad: totalBad,
        rate: rateOf(totalCalls, totalBad)
      }]
    },
    slowerThanMillis: slowerThanMillis ?? Infinity,
    timed: true
  }
}

const anyOf = (trackers: ReadonlyArray<Tracker>): Tracker => {
  const initial: Counters = { _tag: "AnyOf", parts: trackers.map((tracker) => tracker.initial) }
  const partsOf = (counters: Counters): ReadonlyArray<Counters> => counters._tag === "AnyOf" ? counters.parts : []
  return {
    initial,
    record: (counters, failed, durationMillis, nowMillis) => {
      const parts = partsOf(counters)
      return {
        _tag: "AnyOf",
        parts: trackers.map((tracker, i) =>
          tracker.record(parts[i] ?? tracker.initial, failed, durationMillis, nowMillis)
        )
      }
    },
    tripped: (counters) => {
      const parts = partsOf(counters)
      return trackers.some((tracker, i) => tracker.tripped(parts[i] ?? tracker.initial))
    },
    figures: (counters, nowMillis) => {
      const parts = partsOf(counters)
      return trackers.flatMap((tracker, i) => tracker.figures(parts[i] ?? tracker.initial, nowMillis))
    },
    slowerThanMillis: Math.min(...trackers.map((tracker) => tracker.slowerThanMillis)),
    timed: trackers.some((tracker) => tracker.timed)
  }
}
