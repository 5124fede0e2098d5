/** What an alarm is, and what it is evaluated over. */

/**
 * One metric with its labels: the value of a gauge or a counter, the count of a histogram.
 *
 * @category models
 * @since 0.1.0
 */
export interface Series {
  /** As in `Names.metrics`. */
  readonly id: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  /** Of a histogram: upper bounds, and how many observations were not above them. */
  readonly buckets?: ReadonlyArray<readonly [bound: number, count: number]> | undefined
}

/**
 * Metrics at one time. It is plain data: recordings may be kept as JSON.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sample {
  readonly millis: number
  readonly series: ReadonlyArray<Series>
}

/**
 * What a label has to be: a text, or a regular expression for all of it.
 *
 * @category models
 * @since 0.1.0
 */
export type Matcher =
  | { readonly label: string; readonly equals: string }
  | { readonly label: string; readonly matches: string }

/**
 * The mean of a gauge over the window is at least this part of another.
 *
 * @category models
 * @since 0.1.0
 */
export interface Use {
  readonly _tag: "Use"
  readonly used: { readonly id: string; readonly by: ReadonlyArray<string> }
  readonly limit: string
  readonly where: ReadonlyArray<Matcher>
  readonly atLeast: number
  readonly windowMillis: number
}

/**
 * A quantile of what a histogram has seen in the window is above a limit, in seconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Quantile {
  readonly _tag: "Quantile"
  readonly histogram: string
  readonly by: ReadonlyArray<string>
  readonly where: ReadonlyArray<Matcher>
  readonly quantile: number
  readonly above: number
  /** With fewer observations nothing is said. */
  readonly minimum: number
  readonly windowMillis: number
}

/**
 * A histogram has counted something in the window.
 *
 * @category models
 * @since 0.1.0
 */
export interface Increase {
  readonly _tag: "Increase"
  readonly counter: string
  readonly by: ReadonlyArray<string>
  readonly where: ReadonlyArray<Matcher>
  readonly windowMillis: number
}

/**
 * @category models
 * @since 0.1.0
 */
export type Condition = Use | Quantile | Increase

/**
 * @category models
 * @since 0.1.0
 */
export interface Alarm {
  readonly name: string
  /** `page` wakes somebody, `ticket` waits for the morning. */
  readonly severity: "page" | "ticket"
  readonly condition: Condition
  /** How long the condition has to hold. */
  readonly forMillis: number
  readonly summary: string
  readonly advice: string
}
