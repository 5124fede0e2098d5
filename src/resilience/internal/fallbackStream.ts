import { Cause, Effect, Schedule, Stream } from "effect"
import { dual } from "effect/Function"
import { type Broken, checkMode, Delivery, type Mode, Switched } from "./fallbackDelivery.ts"
import { isOpenCircuit, type On, shouldFallback } from "./fallbackPolicy.ts"
import { Stopped, unstop } from "./fallbackStopped.ts"
import { both, type Breaker, type BreakerFailure, decide, guardStream, nameOf, report } from "./fallbackSwitch.ts"

/**
 * What to deliver instead, from where, and when.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamOptions<A, E, A2, E2, R2, K, R3, R4, B extends Breaker | undefined = undefined> {
  /** The name in reports, and the breaker's key: required where there is a breaker. */
  readonly name?: string | undefined
  /** What happens to items that were delivered before the break. No answer is right for everybody. */
  readonly mode: Mode<A | A2, K>
  /** The second source. It sees why the first broke and what was delivered. */
  readonly fallback: (broken: Broken<A, E | BreakerFailure<B>, K>) => Stream.Stream<A2, E2, R2>
  /** Which failures are worth it; any typed failure when absent. */
  readonly on?: On<NoInfer<E>> | undefined
  /** Guards each run of the first source: a success only when it completes, neutral when the consumer leaves. */
  readonly breaker?: B
  /**
   * Runs the first source again before the fallback is asked. In the modes `"fail"`, `"resume"` and `resumeBy` only until
   * the first item is delivered; an open circuit is never retried.
   */
  readonly retry?: Schedule.Schedule<unknown, NoInfer<E>, never, R3> | undefined
  /** Runs at the switch, before the fallback starts. */
  readonly onSwitch?:
    | ((
      switched: Switched<NoInfer<A>, NoInfer<E> | BreakerFailure<B>, NoInfer<K>>
    ) => Effect.Effect<unknown, never, R4>)
    | undefined
}

/**
 * Continues with another stream when this one breaks. When both break, both causes survive, the first first.
 *
 * @category combinators
 * @since 0.1.0
 */
export const stream: {
  <
    A,
    E,
    A2 = never,
    E2 = never,
    R2 = never,
    K = unknown,
    R3 = never,
    R4 = never,
    B extends Breaker | undefined = undefined
  >(
    options: StreamOptions<A, E, A2, E2, R2, K, R3, R4, B>
  ): <R>(
    self: Stream.Stream<A, E, R>
  ) => Stream.Stream<A | A2, E | E2 | BreakerFailure<B>, R | R2 | R3 | R4>
  <
    A,
    E,
    R,
    A2 = never,
    E2 = never,
    R2 = never,
    K = unknown,
    R3 = never,
    R4 = never,
    B extends Breaker | undefined = undefined
  >(
    self: Stream.Stream<A, E, R>,
    options: StreamOptions<A, E, A2, E2, R2, K, R3, R4, B>
  ): Stream.Stream<A | A2, E | E2 | BreakerFailure<B>, R | R2 | R3 | R4>
} = dual(2, <A, E, R, A2, E2, R2, K, R3, R4, B extends Breaker | undefined>(
  self: Stream.Stream<A, E, R>,
  options: StreamOptions<A, E, A2, E2, R2, K, R3, R4, B>
): Stream.Stream<A | A2, E | E2 | BreakerFailure<B>, R | R2 | R3 | R4> =>
  switching("Fallback.stream", self, options, () => Stream.empty))

/**
 * As {@link stream}, with the switch told in the stream itself: one {@link Switched} stands between the items of the first
 * source and those of the second.
 *
 * @category combinators
 * @since 0.1.0
 */
export const streamMarked: {
  <
    A,
    E,
    A2 = never,
    E2 = never,
    R2 = never,
    K = unknown,
    R3 = never,
    R4 = never,
    B extends Breaker | undefined = undefined
  >(
    options: StreamOptions<A, E, A2, E2, R2, K, R3, R4, B>
  ): <R>(
    self: Stream.Stream<A, E, R>
  ) => Stream.Stream<
    A | A2 | Switched<A, E | BreakerFailure<B>, K>,
    E | E2 | BreakerFailure<B>,
    R | R2 | R3 | R4
  >
  <
    A,
    E,
    R,
    A2 = never,
    E2 = never,
    R2 = never,
    K = unknown,
    R3 = never,
    R4 = never,
    B extends Breaker | undefined = undefined
  >(
    self: Stream.Stream<A, E, R>,
    options: StreamOptions<A, E, A2, E2, R2, K, R3, R4, B>
  ): Stream.Stream<
    A | A2 | Switched<A, E | BreakerFailure<B>, K>,
    E | E2 | BreakerFailure<B>,
    R | R2 | R3 | R4
  >
} = dual(2, <A, E, R, A2, E2, R2, K, R3, R4, B extends Breaker | undefined>(
  self: Stream.Stream<A, E, R>,
  options: StreamOptions<A, E, A2, E2, R2, K, R3, R4, B>
): Stream.Stream<
  A | A2 | Switched<A, E | BreakerFailure<B>, K>,
  E | E2 | BreakerFailure<B>,
  R | R2 | R3 | R4
> => switching("Fallback.streamMarked", self, options, Stream.succeed))

const switching = <
  A,
  E,
  R,
  A2,
  E2,
  R2,
  K,
  R3,
  R4,
  B extends Breaker | undefined,
  M extends Switched
>(
  module: string,
  self: Stream.Stream<A, E, R>,
  options: StreamOptions<A, E, A2, E2, R2, K, R3, R4, B>,
  mark: (switched: Switched<A, E | BreakerFailure<B>, K>) => Stream.Stream<M>
): Stream.Stream<A | A2 | M, E | E2 | BreakerFailure<B>, R | R2 | R3 | R4> => {
  const { fallback, mode, onSwitch, retry } = options
  checkMode(module, mode, ["fail", "restart", "resume"], ["resumeBy", "dedupeBy"])
  const name = nameOf(module, options.name, options.breaker)
  const policy = shouldFallback<E>(options.on)
  const guarded = guardStream(self, name, options.breaker)
  const mayRepeat = mode === "restart" || (typeof mode === "object" && "dedupeBy" in mode)

  return Stream.suspend(() => {
    const delivery = new Delivery<A | A2, K>(mode)
    const isRetriable = (cause: Cause.Cause<E | BreakerFailure<B>>): cause is Cause.Cause<E> =>
      (mayRepeat || delivery.delivered === 0) &&
      cause.reasons.every((reason) => Cause.isFailReason(reason) && !isOpenCircuit(reason.error)) &&
      decide(cause, policy) === true
    const first = retry === undefined ? guarded : retried(guarded, retry, isRetriable)
    const whole = Stream.catchCause(first, (cause): Stream.Stream<A2 | M, E | E2 | BreakerFailure<B>, R2 | R4> => {
      const decision = decide(cause, policy)
      if (decision !== true) return Stream.failCause(decision)
      if (mode === "fail" && delivery.delivered > 0) return Stream.failCause(cause)
      delivery.left = cause
      const second = Effect.gen(function*() {
        // only the first source has delivered so far
        const broken = delivery.broken(cause) as Broken<A, E | BreakerFailure<B>, K>
        const switched = new Switched(name, broken)
        yield* report(name, cause)
        if (onSwitch !== undefined) yield* onSwitch(switched)
        return Stream.concat(mark(switched), fallback(broken))
      })
      return Stream.catchCause(
        Stream.unwrap(second),
        (later) => Stream.failCause(both(cause, later))
      )
    })
    return delivery.watch<M, E | E2 | BreakerFailure<B>, R | R2 | R3 | R4>(whole)
  })
}

/**
 * `Stream.retry` starts its schedule again at every item and retries every failure. Here the schedule is started once for
 * the whole run, and a cause that may not be retried passes it by as an element.
 */
const retried = <A, E, F extends E, R, R3>(
  self: Stream.Stream<A, E, R>,
  schedule: Schedule.Schedule<unknown, F, never, R3>,
  isRetriable: (cause: Cause.Cause<E>) => cause is Cause.Cause<F>
): Stream.Stream<A, E, R | R3> =>
  Stream.unwrap(Effect.map(Schedule.toStep(schedule), (step) => {
    let last: Cause.Cause<F> = Cause.empty
    const source = Stream.catchCause(self, (cause): Stream.Stream<Stopped<E>, F> => {
      if (!isRetriable(cause)) return Stream.succeed(new Stopped(cause))
      last = cause
      return Stream.failCause(cause)
    })
    return Stream.retry(source, Schedule.fromStep(Effect.succeed(step))).pipe(
      Stream.catchCause((cause) => Stream.failCause(Cause.hasDies(cause) ? both(last, cause) : last)),
      unstop
    )
  }))
