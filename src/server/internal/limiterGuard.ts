/**
 * What stands between the server and the store of its rate limits: a store that hangs or is away must not hold requests.
 */
import { Clock, Duration, Effect, Exit, Fiber, Option } from "effect"
import { RateLimiter } from "effect/persistence"
import * as CircuitBreaker from "../../resilience/CircuitBreaker.ts"
import * as RateLimiterStore from "../../resilience/RateLimiterStore.ts"

/** What the store said, or that it said nothing in time. */
export type Taken = RateLimiterStore.Taken | { readonly _tag: "Away" }

export interface Guard {
  /** At once where the limits are counted in this process. */
  readonly take: (asked: RateLimiterStore.Asked, fiber: Fiber.Fiber<unknown, unknown>) => Taken | Effect.Effect<Taken>
}

const away: Taken = { _tag: "Away" }
const late = new RateLimiter.RateLimiterError({
  reason: new RateLimiter.RateLimitStoreError({ message: "The store of the rate limits did not answer in time" })
})

export const make = (
  limiter: RateLimiter.RateLimiter,
  options: { readonly name: string; readonly timeout: Duration.Input }
): Effect.Effect<Guard> => {
  const take = RateLimiterStore.synchronous(limiter)
  if (take !== undefined) {
    return Effect.succeed({
      take: (asked, fiber) => take(asked, Number(fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()) / 1e6)
    })
  }
  const timeout = Duration.fromInputUnsafe(options.timeout)
  return Effect.map(
    CircuitBreaker.makeRef({
      name: `rate-limits/${options.name}`,
      trip: CircuitBreaker.consecutive(5),
      breakDuration: "2 seconds"
    }),
    (circuit) => ({
      take: ({ windowMillis, ...asked }) =>
        Effect.orElseSucceed(
          circuit.run(inTime(taken(limiter.consume({ ...asked, window: windowMillis, onExceeded: "fail" })), timeout)),
          () => away
        )
    })
  )
}

const taken = (
  consumed: Effect.Effect<RateLimiter.ConsumeResult, RateLimiter.RateLimiterError>
): Effect.Effect<Taken, RateLimiter.RateLimiterError> =>
  Effect.matchEffect(consumed, {
    onSuccess: ({ remaining, resetAfter }) =>
      Effect.succeed<Taken>({ _tag: "Granted", remaining, resetMillis: Duration.toMillis(resetAfter) }),
    onFailure: (error) =>
      error.reason._tag === "RateLimitExceeded"
        ? Effect.succeed<Taken>({ _tag: "Exceeded", retryAfterMillis: Duration.toMillis(error.reason.retryAfter) })
        : Effect.fail(error)
  })

/** A store of the application may have answered before a timer could be set. */
const inTime = <A, E>(
  self: Effect.Effect<A, E>,
  timeout: Duration.Duration
): Effect.Effect<A, E | RateLimiter.RateLimiterError> =>
  Effect.flatMap(Effect.forkChild(self, { startImmediately: true }), (child) => {
    const done = child.pollUnsafe()
    if (done !== undefined) return Exit.isSuccess(done) ? Effect.succeed(done.value) : Effect.failCause(done.cause)
    return Effect.flatMap(Effect.timeoutOption(Fiber.join(child), timeout), (answer) => {
      if (Option.isSome(answer)) return Effect.succeed(answer.value)
      child.interruptUnsafe()
      return Effect.fail(late)
    })
  })
