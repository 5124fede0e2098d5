/** The failure rate over the last `samplingDuration`, for the stores of Effect's circuit breaker: its options, checked. */
import { Duration } from "effect"
import { between, finiteMillis, InvalidOption, wholeNumber } from "../InvalidOption.ts"
import { addToWindow, type WindowCounts } from "./circuitWindow.ts"

/** About 35,000 years: the largest time that stays a whole number in every place that computes with it. */
export const longest = 2 ** 50

export interface Rate {
  readonly samplingDuration: Duration.Input
  readonly minimumThroughput: number
  readonly failureThreshold: number
  readonly windows?: number | undefined
}

/** A `Rate` whose numbers have been checked. */
export interface Window {
  readonly bucketMillis: number
  readonly windows: number
  readonly minimumThroughput: number
  readonly failureThreshold: number
}

/** A time from one millisecond to the longest that can be kept. */
export const wholeMillis = (module: string, option: string, value: Duration.Input, minimum = 1): number => {
  const millis = Math.ceil(finiteMillis(module, option, value))
  if (millis >= minimum && millis <= longest) return millis
  const given = Duration.format(Duration.millis(finiteMillis(module, option, value)))
  const least = Duration.format(Duration.millis(minimum))
  throw new InvalidOption({ module, option, value: given, allowed: `from ${least} to ${longest} ms` })
}

export const checked = (module: string, rate: Rate): Window => {
  const windows = between(
    module,
    "windows",
    wholeNumber(module, "windows", rate.windows ?? 10, 1),
    1,
    1_000
  )
  // A bucket of less than a millisecond could not be told from the next.
  const samplingMillis = wholeMillis(module, "samplingDuration", rate.samplingDuration, windows)
  const failureThreshold = between(module, "failureThreshold", rate.failureThreshold, 0, 1)
  if (failureThreshold === 0) {
    throw new InvalidOption({ module, option: "failureThreshold", value: "0", allowed: "above 0, up to 1" })
  }
  return {
    bucketMillis: samplingMillis / windows,
    windows,
    minimumThroughput: wholeNumber(module, "minimumThroughput", rate.minimumThroughput, 1),
    failureThreshold
  }
}

/** How long a key is kept without a call: never less than what its counts are good for. */
export const idleMillis = (module: string, window: Window, given: Duration.Input | undefined): number => {
  const sampling = Math.ceil(window.bucketMillis * window.windows)
  return given === undefined
    ? Math.max(3_600_000, sampling)
    : wholeMillis(module, "keys.idleTimeToLive", given, sampling)
}

/** The counts with one call more in the bucket of `nowMillis`, less what has left the window. */
export const count = (window: Window, counts: WindowCounts, nowMillis: number, failed: boolean): WindowCounts =>
  addToWindow(counts, failed, Math.floor(nowMillis / window.bucketMillis), window.windows)

/** Whether the last call opens the circuit. Only a failure can. */
export const trips = (window: Window, counts: WindowCounts, failed: boolean): boolean =>
  failed && counts.totalCalls >= window.minimumThroughput &&
  counts.totalBad / counts.totalCalls >= window.failureThreshold
