import { type Cause, Effect } from "effect"
import { dual } from "effect/Function"
import { type On, shouldFallback } from "./fallbackPolicy.ts"
import { both, type Breaker, type BreakerFailure, decide, guardEffect, nameOf, report } from "./fallbackSwitch.ts"

/**
 * What to do instead, when, and behind which breaker.
 *
 * @category models
 * @since 0.1.0
 */
export interface EffectOptions<E, A2, E2, R2, B extends Breaker | undefined = undefined> {
  /** The name in reports, and the breaker's key: required where there is a breaker. */
  readonly name?: string | undefined
  /** What to do instead. It sees why. */
  readonly fallback: (cause: Cause.Cause<E | BreakerFailure<B>>) => Effect.Effect<A2, E2, R2>
  /** Which failures are worth it; any typed failure when absent. */
  readonly on?: On<NoInfer<E>> | undefined
  /** Guards `self`, never the fallback. */
  readonly breaker?: B
}

/**
 * Does something else when an effect fails. When both fail, both causes survive, the first first.
 *
 * @category combinators
 * @since 0.1.0
 */
export const effect: {
  <E, A2 = never, E2 = never, R2 = never, B extends Breaker | undefined = undefined>(
    options: EffectOptions<E, A2, E2, R2, B>
  ): <A, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A | A2, E | E2 | BreakerFailure<B>, R | R2>
  <A, E, R, A2 = never, E2 = never, R2 = never, B extends Breaker | undefined = undefined>(
    self: Effect.Effect<A, E, R>,
    options: EffectOptions<E, A2, E2, R2, B>
  ): Effect.Effect<A | A2, E | E2 | BreakerFailure<B>, R | R2>
} = dual(2, <A, E, R, A2, E2, R2, B extends Breaker | undefined>(
  self: Effect.Effect<A, E, R>,
  options: EffectOptions<E, A2, E2, R2, B>
): Effect.Effect<A | A2, E | E2 | BreakerFailure<B>, R | R2> => {
  const name = nameOf("Fallback.effect", options.name, options.breaker)
  return orElse(
    guardEffect(self, name, options.breaker),
    name,
    shouldFallback<E>(options.on),
    options.fallback
  )
})

export const orElse = <A, E, R, A2, E2, R2>(
  self: Effect.Effect<A, E, R>,
  name: string,
  policy: (cause: Cause.Cause<E>) => boolean,
  fallback: (cause: Cause.Cause<E>) => Effect.Effect<A2, E2, R2>
): Effect.Effect<A | A2, E | E2, R | R2> =>
  Effect.catchCause(self, (cause): Effect.Effect<A2, E | E2, R2> => {
    const decision = decide(cause, policy)
    if (decision !== true) return Effect.failCause(decision)
    return Effect.andThen(
      report(name, cause),
      Effect.catchCause(
        Effect.suspend(() => fallback(cause)),
        (later) => Effect.failCause(both(cause, later))
      )
    )
  })
