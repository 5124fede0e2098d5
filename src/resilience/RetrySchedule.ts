/**
 * Retries as plain `Schedule`s: how often, how long between, and how much the waits are shaken.
 *
 * `make` counts attempts, not retries, because that is what the other side sees: three attempts are one call and at most
 * two more. A delay is a pure function of the retry's number (1 for the first retry); jitter is drawn from `Random`, so a
 * seed makes it repeatable and `TestClock` drives it.
 *
 * **Gotchas**
 *
 * - A schedule bounds when the next attempt starts, not how long one runs: put a deadline around the whole, and one
 *   inside for the attempt.
 * - A schedule does not know what is safe to repeat. Retry only what is idempotent or carries a key.
 *
 * @example
 * ```ts
 * import { Effect, Random, Schedule } from "effect"
 * import { RetrySchedule } from "effect-lifecycle/resilience"
 * import assert from "node:assert/strict"
 *
 * const schedule = RetrySchedule.make({
 *   attempts: 3,
 *   delay: RetrySchedule.exponential({ base: 1 }),
 *   jitter: RetrySchedule.full
 * })
 * let calls = 0
 * const call = Effect.suspend(() => ++calls < 3 ? Effect.fail("busy") : Effect.succeed("done"))
 *
 * assert.equal(await Effect.runPromise(call.pipe(Effect.retry(schedule), Random.withSeed("docs"))), "done")
 * assert.equal(calls, 3)
 * assert.ok(Schedule.isSchedule(schedule))
 * ```
 *
 * @since 0.1.0
 */
import { Cause, Duration, Effect, Random, Schedule } from "effect"
import { between, finiteMillis, wholeNumber } from "./InvalidOption.ts"

/**
 * The wait before the n-th retry (from 1), in milliseconds, before jitter and cap.
 *
 * @category models
 * @since 0.1.0
 */
export type Delay = (retry: number) => number

/**
 * What becomes of a wait of `millis`, given a random number in [0, 1).
 *
 * @category models
 * @since 0.1.0
 */
export type Jitter = (millis: number, random: number) => number

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
  return (retry) => base * factor ** (retry - 1)
}

/**
 * The wait as it is.
 *
 * @category jitter
 * @since 0.1.0
 */
export const none: Jitter = (millis) => millis

/**
 * Anything from nothing to the wait.
 *
 * @category jitter
 * @since 0.1.0
 */
export const full: Jitter = (millis, random) => millis * random

/**
 * Half of the wait, and anything up to the other half.
 *
 * @category jitter
 * @since 0.1.0
 */
export const equal: Jitter = (millis, random) => millis * (0.5 + random / 2)

/**
 * The wait, give or take a share of it: `plusMinus(0.2)` is 80 % to 120 %.
 *
 * @category jitter
 * @since 0.1.0
 */
export const plusMinus = (share: number): Jitter => {
  const checked = between("RetrySchedule.plusMinus", "share", share, 0, 1)
  return (millis, random) => millis * (1 + checked * (2 * random - 1))
}

/**
 * A schedule of at most `attempts` attempts; its output is the wait it chose.
 *
 * The cap is applied before the jitter, so that capped waits of several clients still differ; with {@link plusMinus} a
 * wait can therefore exceed the cap by its share.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: {
  /** The first call included: 1 is no retry. */
  readonly attempts: number
  /** {@link linear} when absent. */
  readonly delay?: Delay | undefined
  /** {@link plusMinus} of 20 % when absent. */
  readonly jitter?: Jitter | undefined
  /** Longest wait; 10 seconds when absent. */
  readonly cap?: Duration.Input | undefined
}): Schedule.Schedule<Duration.Duration> => {
  const attempts = wholeNumber("RetrySchedule.make", "attempts", options.attempts, 1)
  const cap = finiteMillis("RetrySchedule.make", "cap", options.cap ?? "10 seconds")
  const delay = options.delay ?? linear()
  const jitter = options.jitter ?? plusMinus(0.2)
  return Schedule.fromStepWithMetadata(Effect.succeed(({ attempt }) =>
    attempt >= attempts
      ? Cause.done(Duration.zero)
      : Effect.map(Random.next, (random): [Duration.Duration, Duration.Duration] => {
        const wait = Duration.millis(jitter(Math.min(delay(attempt), cap), random))
        return [wait, wait]
      })
  ))
}
