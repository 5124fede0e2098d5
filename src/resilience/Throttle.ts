/**
 * Turns calls away on the client's side while the other side turns most of them away itself: adaptive throttling, from
 * "Handling Overload" in Google's Site Reliability Engineering (2016).
 *
 * A service that is overloaded spends much of what it has left on saying no. Each client counts, over the last two minutes,
 * how many calls it was asked to make (`requests`) and how many of them were accepted (`accepts`), and turns a new one away
 * with the probability `max(0, (requests - k * accepts) / (requests + 1))`. So a client sends about `k` times what is
 * accepted: with the usual 2, one call is refused by the service for each that is served. A larger `k` is less strict, and
 * learns sooner that the service is back; below 2 it saves the service more.
 *
 * - At most `maximumRejection` of the calls are turned away, so that it always finds out.
 * - A call counts from its beginning. One that ends neutral (interrupted, or refused by another guard of ours) is taken out
 *   again. The calls turned away here count as requests: that is what makes it stricter while demand grows.
 * - There is no state to trip and no time to wait for: it is a breaker without a circuit, for the many calls that half
 *   succeed.
 *
 * **Gotchas**
 *
 * - It has to see every call, so put it inside the retries, and use one for each service.
 * - After an outage it lets calls back little by little: with the defaults, all of them after two to three windows.
 * - Any typed failure counts as not accepted. Say with `classify` what is an answer.
 *
 * @example
 * ```ts
 * import { Effect, Random } from "effect"
 * import { Throttle } from "effect-lifecycle/resilience"
 * import assert from "node:assert/strict"
 *
 * let sent = 0
 * const call = Effect.suspend(() => Effect.fail(++sent))
 *
 * const program = Effect.gen(function*() {
 *   const throttle = yield* Throttle.make({ name: "search" })
 *   for (let n = 0; n < 1000; n++) yield* Effect.exit(throttle.run(call))
 *   return yield* throttle.stats
 * })
 *
 * const stats = await Effect.runPromise(program.pipe(Random.withSeed("docs")))
 * assert.equal(stats.requests, 1000)
 * assert.ok(sent < 200)
 * ```
 *
 * @since 0.1.0
 */
import { Clock, type Duration, Effect, type Exit, Random, Schema } from "effect"
import { makeSlidingSum } from "./internal/slidingSum.ts"
import { between, millisBetween } from "./InvalidOption.ts"
import { effect as plainVerdict, type Outcome, outcome } from "./Verdict.ts"

/**
 * A call was turned away here, because the other side turns away too many.
 *
 * @category errors
 * @since 0.1.0
 */
export class Throttled extends Schema.TaggedError<Throttled>()("Throttled", {
  name: Schema.String,
  /** The probability with which calls are turned away now. */
  rejection: Schema.Finite,
  requests: Schema.Finite,
  accepts: Schema.Finite
}) {
  override get message(): string {
    return `Throttle "${this.name}" turned the call away, as it does with ${
      Math.round(this.rejection * 100)
    } % of them: ` +
      `of the last ${this.requests} calls ${this.accepts} were accepted`
  }
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Stats {
  /** Calls asked for in the window, those turned away here included. */
  readonly requests: number
  /** Calls of the window that the other side accepted. */
  readonly accepts: number
  /** The probability that the next call is turned away. */
  readonly rejection: number
}

/**
 * @category models
 * @since 0.1.0
 */
export interface RunOptions<in A, in E> {
  /** How a call ended: `success` is accepted, `neutral` does not count. `Verdict.effect` decides when absent. */
  readonly classify?: ((exit: Exit.Exit<A, E>) => Outcome) | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Throttle {
  readonly name: string
  /** Runs `effect`, or fails without running it. */
  readonly run: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: RunOptions<A, E>
  ) => Effect.Effect<A, E | Throttled, R>
  readonly stats: Effect.Effect<Stats>
}

/**
 * A throttle that has seen nothing.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: {
  readonly name?: string | undefined
  /** From 1 to 100; 2 when absent. */
  readonly k?: number | undefined
  /** From 1 second to 1 hour; 2 minutes when absent. */
  readonly window?: Duration.Input | undefined
  /** The largest share that is turned away, from 0 (never) to 1; 0.9 when absent. */
  readonly maximumRejection?: number | undefined
} = {}): Effect.Effect<Throttle> => {
  const module = "Throttle.make"
  const name = options.name ?? "throttle"
  const k = between(module, "k", options.k ?? 2, 1, 100)
  const windowMillis = millisBetween(module, "window", options.window ?? "2 minutes", 1000, 3_600_000)
  const maximum = between(module, "maximumRejection", options.maximumRejection ?? 0.9, 0, 1)
  return Effect.sync(() => {
    const requests = makeSlidingSum(windowMillis, 40)
    const accepts = makeSlidingSum(windowMillis, 40)
    const statsAt = (nowNanos: bigint): Stats => {
      const asked = requests.total(nowNanos)
      const accepted = accepts.total(nowNanos)
      const rejection = Math.min(maximum, Math.max(0, (asked - k * accepted) / (asked + 1)))
      return { requests: asked, accepts: accepted, rejection }
    }
    return {
      name,
      run: <A, E, R>(effect: Effect.Effect<A, E, R>, runOptions?: RunOptions<A, E>) =>
        Effect.withFiber((fiber): Effect.Effect<A, E | Throttled, R> => {
          const clock = fiber.getRef(Clock.Clock)
          const nowNanos = clock.monotonicTimeNanosUnsafe()
          const now = statsAt(nowNanos)
          const slice = requests.add(1, nowNanos)
          if (now.rejection > 0 && fiber.getRef(Random.Random).nextDoubleUnsafe() < now.rejection) {
            return Effect.fail(new Throttled({ name, ...now }))
          }
          return Effect.onExitPrimitive(effect, (exit) => {
            const ended = outcomeOf(exit, runOptions?.classify)
            if (ended === "success") accepts.add(1, clock.monotonicTimeNanosUnsafe())
            else if (ended === "neutral") requests.take(1, slice)
            return undefined
          })
        }),
      stats: Effect.withFiber((fiber) => Effect.succeed(statsAt(fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe())))
    }
  })
}

const firstAttempt = { number: 1, kind: "primary", startedAtNanos: 0n, elapsedMillis: 0 } as const

// A classifier that throws is a mistake of the program and must not change what the call came to.
const outcomeOf = <A, E>(exit: Exit.Exit<A, E>, classify: RunOptions<A, E>["classify"]): Outcome => {
  try {
    return classify === undefined ? outcome(plainVerdict(exit, firstAttempt)) : classify(exit)
  } catch {
    return "failure"
  }
}
