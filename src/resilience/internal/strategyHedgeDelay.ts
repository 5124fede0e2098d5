/**
 * When the hedges of a call are due.
 */
import type { Duration } from "effect"
import { between, finiteMillis } from "../InvalidOption.ts"
import * as LatencyWindow from "../LatencyWindow.ts"
import { percentile as percentileOf } from "./delays.ts"

/**
 * Where a hedge delay gets its numbers from.
 *
 * @category models
 * @since 0.1.0
 */
export interface HedgeStep {
  readonly nowNanos: bigint
  /** In [0, 1). */
  readonly random: number
  /** `RequestInfo.key`. */
  readonly key: string | undefined
}

/**
 * How long an attempt took, or, `censored`, how long it had run when it was interrupted.
 *
 * @category models
 * @since 0.1.0
 */
export interface HedgeSample {
  readonly millis: number
  readonly censored: boolean
  readonly nowNanos: bigint
  readonly key: string | undefined
}

/**
 * When hedges are due, and what becomes of the times that attempts take.
 *
 * @category models
 * @since 0.1.0
 */
export interface HedgeDelay {
  readonly name: string
  /** When hedge number `hedge` (from 1) is due, in milliseconds from the start of the first attempt. */
  readonly offset: (hedge: number, step: HedgeStep) => number
  readonly observe?: ((sample: HedgeSample) => void) | undefined
}

/**
 * A hedge every `delay`.
 *
 * @category hedge delays
 * @since 0.1.0
 */
export const fixed = (delay: Duration.Input): HedgeDelay => {
  const millis = finiteMillis("RequestStrategy.fixed", "delay", delay)
  return { name: `fixed ${millis}`, offset: (hedge) => hedge * millis }
}

/**
 * Hedge n is due `minimum + n * step` after the first attempt, give or take the share `jitter` of it: by default 50 ms,
 * 100 ms..., each by 20 %.
 *
 * @category hedge delays
 * @since 0.1.0
 */
export const linear = (options: {
  readonly minimum?: Duration.Input | undefined
  readonly step?: Duration.Input | undefined
  readonly jitter?: number | undefined
} = {}): HedgeDelay => {
  const module = "RequestStrategy.linear"
  const minimum = finiteMillis(module, "minimum", options.minimum ?? 0)
  const step = finiteMillis(module, "step", options.step ?? 50)
  const jitter = between(module, "jitter", options.jitter ?? 0.2, 0, 1)
  return {
    name: `linear ${minimum} + ${step} n, jitter ${jitter}`,
    offset: (hedge, { random }) => (minimum + hedge * step) * (1 + jitter * (2 * random - 1))
  }
}

/**
 * Hedge n is due n times a quantile of the latencies measured after the first attempt: by default the 95th percentile, so
 * that about 5 % of the calls are hedged, from 50 ms to 10 s, and 50 ms as long as there are too few samples.
 *
 * It measures by itself: an accepted attempt as long as it took, an interrupted loser as taking longer than it ran, for
 * without the losers the quantile would shrink with every hedge. Without `latencies` it keeps them by `RequestInfo.key`,
 * for the last 5 minutes.
 *
 * @category hedge delays
 * @since 0.1.0
 */
export const percentile = (options: {
  /** Above 0 and below 1. */
  readonly quantile?: number | undefined
  readonly minimum?: Duration.Input | undefined
  readonly maximum?: Duration.Input | undefined
  readonly latencies?: LatencyWindow.LatencyWindow | LatencyWindow.Keyed | undefined
} = {}): HedgeDelay => {
  const latencies = options.latencies ?? LatencyWindow.keyed()
  const of = (key: string | undefined) => "get" in latencies ? latencies.get(key ?? "") : latencies
  let current: LatencyWindow.LatencyWindow | undefined = undefined
  const delay = percentileOf({ quantile: (q, nowNanos) => current?.quantile(q, nowNanos) }, options)
  return {
    name: `percentile ${options.quantile ?? 0.95}`,
    offset: (hedge, { key, nowNanos, random }) => {
      current = of(key)
      return delay(hedge, { previousMillis: 0, nowNanos, random })
    },
    observe: ({ censored, key, millis, nowNanos }) => {
      const window = of(key)
      if (censored) window.recordCensored(millis, nowNanos)
      else window.record(millis, nowNanos)
    }
  }
}

export const isHedgeDelay = (delay: Duration.Input | HedgeDelay): delay is HedgeDelay =>
  typeof delay === "object" && delay !== null && "offset" in delay
