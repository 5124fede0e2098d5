/**
 * A second source for a stream that breaks, without telling anything twice by accident.
 *
 * When the first stream fails after some items have been delivered, there is no answer that is right for everybody, so the
 * mode is a required argument:
 *
 * - `"fail"`: after the first delivered item the failure stands; before it, the fallback starts.
 * - `"restart"`: the fallback runs from its own start; items may repeat, and the caller says that this is fine.
 * - `"resume"`: the fallback is asked to continue after what was delivered.
 * - `{ dedupeBy }`: the fallback runs from its start and items whose key was already delivered are dropped.
 *
 * The fallback sees the cause. When both fail, both causes survive. Interruption never falls back, and defects do not
 * unless `shouldFallback` says so.
 *
 * **Gotchas**
 *
 * - `dedupeBy` remembers every key it has delivered, for as long as the stream runs.
 * - Handlers and events have no fallback here yet; `Effect.catch` and `ExecutionPlan` serve effects.
 *
 * @example
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Fallback } from "effect-lifecycle/resilience"
 * import assert from "node:assert/strict"
 *
 * const primary = Stream.make("a", "b").pipe(Stream.concat(Stream.fail("connection lost")))
 * const told = primary.pipe(
 *   Fallback.stream({ mode: { dedupeBy: (item) => item }, fallback: () => Stream.make("a", "b", "c", "d") }),
 *   Stream.runCollect
 * )
 * assert.deepEqual(await Effect.runPromise(told), ["a", "b", "c", "d"])
 * ```
 *
 * @since 0.1.0
 */
import { Cause, Stream } from "effect"
import { dual } from "effect/Function"

/**
 * What a fallback knows about the stream that broke.
 *
 * @category models
 * @since 0.1.0
 */
export interface Broken<A, E> {
  readonly cause: Cause.Cause<E>
  /** How many items had been delivered. */
  readonly delivered: number
  /** The last one, when there was one. */
  readonly last: A | undefined
}

/**
 * What happens to items that were delivered before the break.
 *
 * @category models
 * @since 0.1.0
 */
export type Mode<A> = "fail" | "restart" | "resume" | { readonly dedupeBy: (item: A) => unknown }

/**
 * @category models
 * @since 0.1.0
 */
export interface Options<A, E, A2, E2, R2> {
  readonly mode: Mode<A | A2>
  /** The second source. In mode `"resume"` it must continue after `broken.last`. */
  readonly fallback: (broken: Broken<A, E>) => Stream.Stream<A2, E2, R2>
  /** Whether a cause is worth a second source; any typed failure when absent. */
  readonly shouldFallback?: ((cause: Cause.Cause<E>) => boolean) | undefined
}

/**
 * Any typed failure, and neither a defect nor an interruption.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isTypedFailure = <E>(cause: Cause.Cause<E>): boolean =>
  cause.reasons.some(Cause.isFailReason) && !Cause.hasDies(cause) && !Cause.hasInterrupts(cause)

/**
 * Continues with another stream when this one breaks.
 *
 * @category combinators
 * @since 0.1.0
 */
export const stream: {
  <A, E, A2, E2, R2>(
    options: Options<A, E, A2, E2, R2>
  ): <R>(self: Stream.Stream<A, E, R>) => Stream.Stream<A | A2, E | E2, R | R2>
  <A, E, R, A2, E2, R2>(
    self: Stream.Stream<A, E, R>,
    options: Options<A, E, A2, E2, R2>
  ): Stream.Stream<A | A2, E | E2, R | R2>
} = dual(2, <A, E, R, A2, E2, R2>(
  self: Stream.Stream<A, E, R>,
  options: Options<A, E, A2, E2, R2>
): Stream.Stream<A | A2, E | E2, R | R2> =>
  Stream.suspend(() => {
    const { mode } = options
    const dedupeBy = typeof mode === "object" ? mode.dedupeBy : undefined
    const seen = new Set<unknown>()
    let delivered = 0
    let last: A | undefined
    const primary = Stream.map(self, (item) => {
      delivered++
      last = item
      if (dedupeBy !== undefined) seen.add(dedupeBy(item))
      return item
    })
    return Stream.catchCause(primary, (cause): Stream.Stream<A | A2, E | E2, R2> => {
      const wanted = !Cause.hasInterrupts(cause) && (options.shouldFallback ?? isTypedFailure)(cause)
      if (!wanted || (mode === "fail" && delivered > 0)) return Stream.failCause(cause)
      const second = Stream.catchCause(
        options.fallback({ cause, delivered, last }),
        (failure): Stream.Stream<never, E | E2> => Stream.failCause(Cause.combine<E, E2>(cause, failure))
      )
      return dedupeBy === undefined ? second : Stream.filter(second, (item) => {
        const key = dedupeBy(item)
        if (seen.has(key)) return false
        seen.add(key)
        return true
      })
    })
  }))
