import { type Duration, Predicate } from "effect"
import { above, between, finiteMillis, InvalidOption, wholeNumber } from "../InvalidOption.ts"

/**
 * What opens a closed circuit; made by `consecutive`, `countRate`, `failureRate`, `slowCallRate` and `anyOf`.
 *
 * @category models
 * @since 0.1.0
 */
export type TripPolicy = Consecutive | CountRate | FailureRate | SlowCallRate | AnyOf

/**
 * Failures in a row.
 *
 * @category models
 * @since 0.1.0
 */
export interface Consecutive {
  readonly _tag: "Consecutive"
  readonly failures: number
}

/**
 * The share of failures in the last `size` calls.
 *
 * @category models
 * @since 0.1.0
 */
export interface CountRate {
  readonly _tag: "CountRate"
  readonly failureThreshold: number
  readonly minimumThroughput: number
  readonly size: number
}

/**
 * The share of failures in a window of time.
 *
 * @category models
 * @since 0.1.0
 */
export interface FailureRate {
  readonly _tag: "FailureRate"
  readonly failureThreshold: number
  readonly minimumThroughput: number
  readonly samplingMillis: number
  readonly windows: number
}

/**
 * The share of slow calls in a window of time.
 *
 * @category models
 * @since 0.1.0
 */
export interface SlowCallRate {
  readonly _tag: "SlowCallRate"
  readonly slowerThanMillis: number
  readonly slowThreshold: number
  readonly minimumThroughput: number
  readonly samplingMillis: number
  readonly windows: number
}

/**
 * Several policies, of which one is enough.
 *
 * @category models
 * @since 0.1.0
 */
export interface AnyOf {
  readonly _tag: "AnyOf"
  readonly policies: ReadonlyArray<Exclude<TripPolicy, AnyOf>>
}

const module = "CircuitBreaker"
/** A ring this long takes 13 KiB a key; a longer one is a typing error. */
const longestRing = 100_000
const mostWindows = 1_000

/**
 * Opens after `failures` failures in a row, in the order in which calls end; one success starts the count again.
 *
 * @category policies
 * @since 0.1.0
 */
export const consecutive = (failures: number): TripPolicy => ({
  _tag: "Consecutive",
  failures: wholeNumber(module, "failures", failures, 1)
})

/**
 * Opens when at least `failureThreshold` (above 0, to 1) of the last `size` calls failed, once `minimumThroughput` of them
 * have ended.
 *
 * @category policies
 * @since 0.1.0
 */
export const countRate = (options: {
  readonly failureThreshold: number
  readonly minimumThroughput: number
  readonly size: number
}): TripPolicy => {
  const minimumThroughput = wholeNumber(module, "minimumThroughput", options.minimumThroughput, 1)
  return {
    _tag: "CountRate",
    failureThreshold: share("failureThreshold", options.failureThreshold),
    minimumThroughput,
    size: wholeBetween("size", options.size, minimumThroughput, longestRing)
  }
}

/**
 * Opens when at least `failureThreshold` (above 0, to 1) of the calls of the last `samplingDuration` failed, once
 * `minimumThroughput` of them have ended.
 *
 * The window moves on in `windows` steps (10 when absent).
 *
 * @category policies
 * @since 0.1.0
 */
export const failureRate = (options: {
  readonly failureThreshold: number
  readonly minimumThroughput: number
  readonly samplingDuration: Duration.Input
  readonly windows?: number | undefined
}): TripPolicy => ({
  _tag: "FailureRate",
  failureThreshold: share("failureThreshold", options.failureThreshold),
  ...sampling(options)
})

/**
 * Opens when at least `slowThreshold` (above 0, to 1) of the calls of the last `samplingDuration` took longer than
 * `slowerThan`, whether they succeeded or failed, once `minimumThroughput` of them have ended.
 *
 * A probe that succeeds too slowly counts as failed.
 *
 * @category policies
 * @since 0.1.0
 */
export const slowCallRate = (options: {
  readonly slowerThan: Duration.Input
  readonly slowThreshold: number
  readonly minimumThroughput: number
  readonly samplingDuration: Duration.Input
  readonly windows?: number | undefined
}): TripPolicy => ({
  _tag: "SlowCallRate",
  slowerThanMillis: finiteMillis(module, "slowerThan", options.slowerThan),
  slowThreshold: share("slowThreshold", options.slowThreshold),
  ...sampling(options)
})

/**
 * Opens as soon as one of `policies` would.
 *
 * @category policies
 * @since 0.1.0
 */
export const anyOf = (...policies: ReadonlyArray<TripPolicy>): TripPolicy => {
  const flat = policies.map((policy) => checkTrip("policies", policy)).flatMap((policy) =>
    policy._tag === "AnyOf" ? policy.policies : [policy]
  )
  if (flat.length === 0) throw new InvalidOption({ module, option: "policies", value: "none", allowed: "at least one" })
  return { _tag: "AnyOf", policies: flat }
}

const tags: ReadonlySet<unknown> = new Set<TripPolicy["_tag"]>([
  "Consecutive",
  "CountRate",
  "FailureRate",
  "SlowCallRate",
  "AnyOf"
])

/** Whoever is not type-checked may leave it out, or give a number where `consecutive(5)` is meant. */
export const checkTrip = (option: string, policy: TripPolicy): TripPolicy => {
  if (Predicate.hasProperty(policy, "_tag") && tags.has(policy._tag)) return policy
  throw new InvalidOption({
    module,
    option,
    value: typeof policy === "object" ? JSON.stringify(policy) : String(policy),
    allowed: "a policy such as CircuitBreaker.consecutive(5) or CircuitBreaker.failureRate({ ... })"
  })
}

const sampling = (options: {
  readonly minimumThroughput: number
  readonly samplingDuration: Duration.Input
  readonly windows?: number | undefined
}) => {
  const samplingMillis = finiteMillis(module, "samplingDuration", options.samplingDuration)
  if (samplingMillis === 0) {
    throw new InvalidOption({ module, option: "samplingDuration", value: "0", allowed: "longer than zero" })
  }
  return {
    minimumThroughput: wholeNumber(module, "minimumThroughput", options.minimumThroughput, 1),
    samplingMillis,
    windows: wholeBetween("windows", options.windows ?? 10, 1, mostWindows)
  }
}

const share = (option: string, value: number): number => above(module, option, value, 0, 1)

const wholeBetween = (option: string, value: number, minimum: number, maximum: number): number =>
  between(module, option, wholeNumber(module, option, value, minimum), minimum, maximum)
