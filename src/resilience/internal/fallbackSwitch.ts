import { Cause, type Effect, Result, type Stream } from "effect"
import * as Recorder from "../../lifecycle/Recorder.ts"
import type { CircuitBreaker, CircuitOpen } from "../CircuitBreaker.ts"
import { InvalidOption } from "../InvalidOption.ts"
import { triggerOf } from "./fallbackPolicy.ts"

/**
 * The part of a keyed `CircuitBreaker` that a fallback uses.
 *
 * @category models
 * @since 0.1.0
 */
export type Breaker = Pick<CircuitBreaker, "run" | "stream">

/**
 * What a breaker adds to the failures, where there is one.
 *
 * @category models
 * @since 0.1.0
 */
export type BreakerFailure<B> = B extends Breaker ? CircuitOpen : never

/** Both, in order. `Cause.combine` drops equal failures and runs their own equality, which may throw. */
export const both = <E, E2>(first: Cause.Cause<E>, later: Cause.Cause<E2>): Cause.Cause<E | E2> =>
  Cause.fromReasons<E | E2>([...first.reasons, ...later.reasons])

/** Whether to fall back: `true`, or the cause that stands. A question that throws is told beside the cause. */
export const decide = <E>(
  cause: Cause.Cause<E>,
  policy: (cause: Cause.Cause<E>) => boolean
): true | Cause.Cause<E> => {
  const answer = Result.try({ try: () => policy(cause), catch: Cause.die })
  if (Result.isFailure(answer)) return both(cause, answer.failure)
  return answer.success || cause
}

export const report = (name: string, cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Recorder.report(() => ({ _tag: "FallbackUsed", name, trigger: triggerOf(cause) }))

/** The cast says what the conditional type cannot: with a breaker, `BreakerFailure<B>` is `CircuitOpen`. */
export const guardEffect = <A, E, R, B extends Breaker | undefined>(
  self: Effect.Effect<A, E, R>,
  name: string,
  breaker: B | undefined
): Effect.Effect<A, E | BreakerFailure<B>, R> =>
  breaker === undefined ? self : breaker.run(name, self) as Effect.Effect<A, E | BreakerFailure<B>, R>

/** As {@link guardEffect}, for a stream. */
export const guardStream = <A, E, R, B extends Breaker | undefined>(
  self: Stream.Stream<A, E, R>,
  name: string,
  breaker: B | undefined
): Stream.Stream<A, E | BreakerFailure<B>, R> =>
  breaker === undefined ? self : breaker.stream(name, self) as Stream.Stream<A, E | BreakerFailure<B>, R>

/** A shared breaker keeps a circuit for each name, so a nameless fallback would share a circuit with every other. */
export const nameOf = (module: string, name: string | undefined, breaker: Breaker | undefined): string => {
  if (name === "" || (name === undefined && breaker !== undefined)) {
    throw new InvalidOption({
      module,
      option: "name",
      value: JSON.stringify(name) ?? "undefined",
      allowed: "a name that is not empty (a breaker keeps one circuit for each name)"
    })
  }
  return name ?? "fallback"
}
