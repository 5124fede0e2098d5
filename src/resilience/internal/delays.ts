/**
 * The wait before each retry, before cap and jitter.
 */
import type { Duration } from "effect"
import { between, finiteMillis, inside, InvalidOption, positiveMillis } from "../InvalidOption.ts"
import type { LatencyWindow } from "../LatencyWindow.ts"

/**
 * What a wait may depend on.
 *
 * @category models
 * @since 0.1.0
 */
export interface DelayStep {
  /** The wait before the one that is asked for; 0 before the first. */
  readonly previousMillis: number
  /** Monotonic. */
  readonly nowNanos: bigint
  /** In [0, 1). */
  readonly random: number
  /** The longest wait that leaves time for an attempt; no limit when absent. */
  readonly remainingMillis?: number | undefined
}

/**
 * The wait before the n-th retry (from 1), in milliseconds, before cap and jitter.
 *
 * @category models
 * @since 0.1.0
 */
export interface Delay {
  (retry: number, step: DelayStep): number
  /** It is random by itself, so that no jitter is added unless one is asked for. */
  readonly isRandom?: boolean | undefined
}

/**
 * The same wait every time.
 *
 * @category delays
 * @since 0.1.0
 */
export const constant = (delay: Duration.Input): Delay => {
  const millis = finiteMillis("RetrySchedule.constant", "delay", delay)
  return () => millis
}

/**
 * `start + retry * step`: by default 50, 100, 150 ms.
 *
 * @category delays
 * @since 0.1.0
 */
export const linear = (options?: {
  readonly start?: Duration.Input | undefined
  readonly step?: Duration.Input | undefined
}): Delay => {
  const start = finiteMillis("RetrySchedule.linear", "start", options?.start ?? 0)
  const step = finiteMillis("RetrySchedule.linear", "step", options?.step ?? 50)
  return (retry) => start + retry * step
}

/**
 * `base * factor^(retry - 1)`: by default 100, 200, 400 ms.
 *
 * @category delays
 * @since 0.1.0
 */
export const exponential = (options?: {
  readonly base?: Duration.Input | undefined
  readonly factor?: number | undefined
}): Delay => {
  const base = finiteMillis("RetrySchedule.exponential", "base", options?.base ?? 100)
  const factor = between("RetrySchedule.exponential", "factor", options?.factor ?? 2, 1, 100)
  return base === 0 ? () => 0 : (retry) => base * factor ** (retry - 1)
}

/**
 * `base` times the Fibonacci numbers: by default 100, 100, 200, 300, 500 ms.
 *
 * @category delays
 * @since 0.1.0
 */
export const fibonacci = (options?: { readonly base?: Duration.Input | undefined }): Delay => {
  const base = finiteMillis("RetrySchedule.fibonacci", "base", options?.base ?? 100)
  return base === 0 ? () => 0 : (retry) => {
    // Binet's formula: exact in doubles up to the 70th, where any cap has long been reached.
    const goldenRatio = (1 + Math.sqrt(5)) / 2
    return base * Math.round(goldenRatio ** retry / Math.sqrt(5))
  }
}

/**
 * Anything from `base` to three times the wait before it, as "Exponential Backoff and Jitter" (Marc Brooker, AWS, 2015)
 * does. Random by itself.
 *
 * @category delays
 * @since 0.1.0
 */
export const decorrelated = (options?: { readonly base?: Duration.Input | undefined }): Delay => {
  const base = positiveMillis("RetrySchedule.decorrelated", "base", options?.base ?? 100)
  const delay = (_retry: number, step: DelayStep): number =>
    base + step.random * (Math.max(step.previousMillis, base) * 3 - base)
  return Object.assign(delay, { isRandom: true })
}

/**
 * The retry's number times a quantile of the latencies measured, between `minimum` and `maximum`: by default the 95th
 * percentile, from 50 ms to 10 s. As long as the window has too few samples it is `minimum`.
 *
 * @category delays
 * @since 0.1.0
 */
export const percentile = (latencies: Pick<LatencyWindow, "quantile">, options?: {
  /** Above 0 and below 1. */
  readonly quantile?: number | undefined
  readonly minimum?: Duration.Input | undefined
  readonly maximum?: Duration.Input | undefined
}): Delay => {
  const module = "RetrySchedule.percentile"
  const quantile = inside(module, "quantile", options?.quantile ?? 0.95, 0, 1)
  const minimum = finiteMillis(module, "minimum", options?.minimum ?? 50)
  const maximum = finiteMillis(module, "maximum", options?.maximum ?? "10 seconds")
  if (minimum > maximum) {
    throw new InvalidOption({ module, option: "minimum", value: `${minimum} ms`, allowed: `at most ${maximum} ms` })
  }
  return (retry, { nowNanos }) => {
    const measured = latencies.quantile(quantile, nowNanos) ?? minimum
    return retry * Math.min(Math.max(measured, minimum), maximum)
  }
}
