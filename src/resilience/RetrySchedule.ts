/**
 * Retries as plain `Schedule`s: how often, how long between, how much the waits are shaken, and when there is no time or no
 * budget left for another one.
 *
 * `make` counts attempts, not retries, because that is what the other side sees: three attempts are one call and at most
 * two more. The schedule ends, so that the caller gets the last real outcome, when
 *
 * - the attempts are used up,
 * - the wait would leave less than `minimumTime` of the deadline, its own or that of the fiber (`Deadline.Current`),
 * - the other side asks for a longer wait (`Retry-After`) than the deadline or the maximum allows,
 * - or the `RetryBudget` has nothing left.
 *
 * A wait asked for is kept as a minimum and shaken upward only: everybody who was turned away has been told the same. A
 * delay is a pure function of the retry's number (1 for the first retry) and a {@link DelayStep}; all chance comes from
 * `Random`, so a seed makes it repeatable and `TestClock` drives it. {@link nextDelay} is the same arithmetic without
 * Effect, and what `RequestStrategy` uses.
 *
 * **Gotchas**
 *
 * - A schedule bounds when the next attempt starts, not how long one runs: put a deadline around the whole, and one
 *   inside for the attempt.
 * - A schedule does not know what is safe to repeat. Retry only what is idempotent or carries a key.
 * - `HttpClient.retryTransient` in its default mode nests two retries, each with a schedule of its own, so that three
 *   attempts can become nine. Give it `retryOn`, a budget, or use a `RequestStrategy`.
 * - `Effect.retry` never tells a schedule of a success. A budget that is refilled by successes needs
 *   `RetryBudget.credit` around the attempt.
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
import { Cause, Clock, Duration, Effect, Option, Random, Schedule } from "effect"
import type * as Pull from "effect/Pull"
import * as Deadline from "../request/Deadline.ts"
import { judgeInput } from "./internal/scheduleInput.ts"
import { between, finiteMillis, wholeNumber } from "./InvalidOption.ts"
import type { RetryBudget } from "./RetryBudget.ts"

export {
  constant,
  decorrelated,
  type Delay,
  type DelayStep,
  exponential,
  fibonacci,
  linear,
  percentile
} from "./internal/delays.ts"
import { type Delay, type DelayStep, linear } from "./internal/delays.ts"

/**
 * What becomes of a wait of `millis`, given a random number in [0, 1) and the wait before it (0 before the first).
 *
 * @category models
 * @since 0.1.0
 */
export type Jitter = (millis: number, random: number, previousMillis?: number) => number

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
 * Anything from the wait to three times the wait before it, which spreads clients ever further: over `constant(base)` it is
 * the delay {@link decorrelated}.
 *
 * @category jitter
 * @since 0.1.0
 */
export const decorrelatedJitter: Jitter = (millis, random, previousMillis = 0) =>
  millis + random * (Math.max(previousMillis, millis) * 3 - millis)

/**
 * How long to wait.
 *
 * @category options
 * @since 0.1.0
 */
export interface WaitOptions {
  /** A duration is `constant`; {@link linear}, that is 50 ms, 100 ms..., when absent. */
  readonly delay?: Delay | Duration.Input | undefined
  /** {@link plusMinus} of 20 % when absent, and {@link none} where the delay is random by itself. */
  readonly jitter?: Jitter | undefined
  /** Longest wait before jitter; 10 seconds when absent. It does not shorten what the other side asks for. */
  readonly cap?: Duration.Input | undefined
  readonly retryAfter?: RetryAfterOptions | undefined
}

/**
 * @category options
 * @since 0.1.0
 */
export interface RetryAfterOptions {
  /** Who asks for more ends the call; 30 seconds when absent. */
  readonly maximum?: Duration.Input | undefined
  /** The share of the wait that is added at most, at random; 0.2 when absent. */
  readonly jitter?: number | undefined
}

/**
 * The wait in milliseconds, jitter included, or `undefined` where no further attempt is to be made: the other side asks for
 * more than the maximum, or there is not that much time.
 *
 * @category models
 * @since 0.1.0
 */
export type NextDelay = (retry: number, step: DelayStep, retryAfter?: Duration.Duration) => number | undefined

/**
 * The arithmetic of a wait, without Effect: delay, cap, jitter, and what the other side asks for as a minimum.
 *
 * The cap is applied before the jitter, so that capped waits of several clients still differ; with {@link plusMinus} a
 * wait can therefore exceed the cap by its share. A delay that is not a number becomes the cap.
 *
 * @category constructors
 * @since 0.1.0
 */
export const nextDelay = (options: WaitOptions = {}, module: string = "RetrySchedule.nextDelay"): NextDelay => {
  const cap = finiteMillis(module, "cap", options.cap ?? "10 seconds")
  const maximum = finiteMillis(module, "retryAfter.maximum", options.retryAfter?.maximum ?? "30 seconds")
  const share = between(module, "retryAfter.jitter", options.retryAfter?.jitter ?? 0.2, 0, 1)
  const delay = delayOf(module, options.delay)
  const jitter = options.jitter ?? (delay.isRandom === true ? none : plusMinus(0.2))
  return (retry, step, retryAfter) => {
    const room = step.remainingMillis ?? Number.POSITIVE_INFINITY
    const shaken = jitter(bounded(delay(retry, step), cap), step.random, step.previousMillis)
    // Decorrelated waits grow on their own: without this they would pass the cap by far.
    const own = jitter === decorrelatedJitter ? bounded(shaken, cap) : bounded(shaken, Number.MAX_VALUE)
    const asked = retryAfter === undefined ? 0 : Duration.toMillis(retryAfter)
    // An invalid wait is what nobody can wait for either.
    if (!(asked <= maximum)) return undefined
    // Near the deadline a wait that was asked for is shaken less, rather than given up.
    const wait = own > asked ? own : Math.min(asked * (1 + share * step.random), Math.max(asked, room))
    return wait > room ? undefined : wait
  }
}

/**
 * A schedule of at most `attempts` attempts; its output is the wait it chose.
 *
 * It can be used as it is with `Effect.retry`, and with `HttpClient.retryTransient`, where it also stops on what
 * `Verdict.http` does not reject. One schedule may serve any number of calls.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  options: WaitOptions & {
    /** The first call included: 1 is no retry. */
    readonly attempts: number
    /** Asked before each retry, and told of each failed attempt. */
    readonly budget?: RetryBudget | undefined
    /** The end of the call, or how long it may take from its start. The fiber's own deadline applies as well. */
    readonly deadline?: Deadline.Deadline | Duration.Input | undefined
    /** No attempt begins with less time than this; 5 milliseconds when absent. */
    readonly minimumTime?: Duration.Input | undefined
  }
): Schedule.Schedule<Duration.Duration> => {
  const module = "RetrySchedule.make"
  const attempts = wholeNumber(module, "attempts", options.attempts, 1, 10_000)
  const next = nextDelay(options, module)
  const minimumMillis = finiteMillis(module, "minimumTime", options.minimumTime ?? 5)
  const ownDeadline = deadlineOf(module, options.deadline)
  const { budget } = options
  return Schedule.fromStepWithMetadata(Effect.gen(function*() {
    const own = ownDeadline(yield* Clock.monotonicTimeNanos)
    if (budget !== undefined) yield* budget.requested
    let previousMillis = 0
    return ({ attempt, input }: Schedule.InputMetadata<unknown>): Step => {
      const judged = judgeInput(input)
      return Effect.withFiber((fiber): Step => {
        if (judged._tag === "Done") return end(budget?.observed(judged.outcome))
        const counted = budget?.observed("failure")
        if (attempt >= attempts) return end(counted)
        const nowNanos = fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()
        const random = fiber.getRef(Random.Random).nextDoubleUnsafe()
        const ends = earlier(own, Option.getOrUndefined(fiber.getRef(Deadline.Current))?.expiresAtNanos)
        const remainingMillis = ends === undefined ? undefined : Number(ends - nowNanos) / 1e6 - minimumMillis
        const millis = next(attempt, { previousMillis, nowNanos, random, remainingMillis }, judged.retryAfter)
        if (millis === undefined) return end(counted)
        previousMillis = millis
        const wait = Duration.millis(millis)
        const chosen: [Duration.Duration, Duration.Duration] = [wait, wait]
        if (budget === undefined) return Effect.succeed(chosen)
        return Effect.flatMap(
          Effect.andThen(counted ?? Effect.void, budget.tryWithdraw("retry")),
          (may): Step => may ? Effect.succeed(chosen) : end()
        )
      })
    }
  }))
}

type Step = Pull.Pull<[Duration.Duration, Duration.Duration], never, Duration.Duration>

const end = (before: Effect.Effect<void> = Effect.void): Step => Effect.andThen(before, Cause.done(Duration.zero))

const bounded = (millis: number, maximum: number): number =>
  millis >= 0 ? Math.min(millis, maximum) : millis < 0 ? 0 : maximum

const delayOf = (module: string, delay: Delay | Duration.Input | undefined): Delay => {
  if (typeof delay === "function") return delay
  if (delay === undefined) return linear()
  const millis = finiteMillis(module, "delay", delay)
  return () => millis
}

const deadlineOf = (
  module: string,
  deadline: Deadline.Deadline | Duration.Input | undefined
): (nowNanos: bigint) => bigint | undefined => {
  if (deadline === undefined) return () => undefined
  if (typeof deadline === "object" && "expiresAtNanos" in deadline) return () => deadline.expiresAtNanos
  const nanos = BigInt(Math.round(finiteMillis(module, "deadline", deadline) * 1e6))
  return (nowNanos) => nowNanos + nanos
}

const earlier = (a: bigint | undefined, b: bigint | undefined): bigint | undefined =>
  a === undefined ? b : b === undefined || a < b ? a : b

/**
 * The delay that a schedule gives to its `attempt`-th failure; none where it has ended by then. It is played from its start
 * each time, for retries that outlive a process: the next attempt may be another's.
 *
 * @category getters
 * @since 0.1.0
 */
export const delayAfter = <Input>(
  schedule: Schedule.Schedule<unknown, Input>,
  attempt: number,
  input: Input
): Effect.Effect<Option.Option<Duration.Duration>> =>
  Effect.gen(function*() {
    const step = yield* Schedule.toStep(schedule)
    let now = yield* Clock.currentTimeMillis
    let delay = Duration.zero
    for (let i = 0; i < attempt; i++) {
      const [, next] = yield* step(now, input)
      now += Duration.toMillis(next)
      delay = next
    }
    return delay
  }).pipe(Effect.option)
