/**
 * What stands between the server and the store of its rate limits: a store that hangs or is away must not hold requests.
 */
import { Duration, Effect, Exit, Fiber, Option } from "effect"
import { RateLimiter } from "effect/persistence"
import * as CircuitBreaker from "../../resilience/CircuitBreaker.ts"

/** What the store said, or that it said nothing in time. */
export type Taken =
  | { readonly _tag: "Granted"; readonly remaining: number; readonly resetMillis: number }
  | { readonly _tag: "Exceeded"; readonly retryAfterMillis: number }
  | { readonly _tag: "Away" }

export interface Guard {
  readonly take: (options: Parameters<RateLimiter.RateLimiter["consume"]>[0]) => Effect.Effect<Taken>
}

const away: Taken = { _tag: "Away" }
const late = new RateLimiter.RateLimiterError({
  reason: new RateLimiter.RateLimitStoreError({ message: "The store of the rate limits did not answer in time" })
})

export const make = (
  limiter: RateLimiter.RateLimiter,
  options: { readonly name: string; readonly timeout: Duration.Input }
): Effect.Effect<Guard> => {
  const timeout = Duration.fromInputUnsafe(options.timeout)
  return Effect.map(
    CircuitBreaker.makeRef({
      name: `rate-limits/${options.name}`,
      trip: CircuitBreaker.consecutive(5),
      breakDuration: "2 seconds"
    }),
    (circuit) => ({
      take: (consume) =>
        Effect.orElseSucceed(
          circuit.run(inTime(
            Effect.matchEffect(limiter.consume(consume), {
              onSuccess: ({ remaining, resetAfter }) =>
                Effect.succeed<Taken>({ _tag: "Granted", remaining, resetMillis: Duration.toMillis(resetAfter) }),
              onFailure: (error) =>
                error.reason._tag === "RateLimitExceeded"
                  ? Effect.succeed<Taken>({
                    _tag: "Exceeded",
                    retryAfterMillis: Duration.toMillis(error.reason.retryAfter)
                  })
                  : Effect.fail(error)
            }),
            timeout
          )),
          () => away
        )
    })
  )
}

/** A store in memory has answered before a timer could be set, and most limits are in memory. */
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
