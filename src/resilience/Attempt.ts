/**
 * Which attempt of a logical call is running: its number, why it was made, and when the call began.
 *
 * A `RequestStrategy` sets it around each attempt; whatever runs inside can read it, and a client tells the server in
 * {@link header}. Outside a strategy there is none.
 *
 * @example
 * ```ts
 * import { Effect, Option } from "effect"
 * import { Attempt } from "effect-lifecycle/resilience"
 * import assert from "node:assert/strict"
 *
 * const retry: Attempt.Attempt = { number: 2, kind: "retry", startedAtNanos: 0n, elapsedMillis: 52 }
 * const seen = Effect.provideService(Attempt.Current, Attempt.Current, Option.some(retry))
 *
 * assert.deepEqual(await Effect.runPromise(seen), Option.some(retry))
 * assert.equal(Attempt.encode(retry), "2;kind=retry;elapsed=0.052")
 * ```
 *
 * @since 0.1.0
 */
import { Context, Option } from "effect"

/**
 * @category models
 * @since 0.1.0
 */
export interface Attempt {
  /** From 1. */
  readonly number: number
  readonly kind: "primary" | "retry" | "hedge"
  /** When the logical call began, on the monotonic clock. */
  readonly startedAtNanos: bigint
  /** How long the logical call had been running when this attempt began. */
  readonly elapsedMillis: number
}

/**
 * The attempt that this fiber works for.
 *
 * @category references
 * @since 0.1.0
 */
export const Current = Context.Reference<Option.Option<Attempt>>("effect-lifecycle/resilience/Attempt", {
  defaultValue: () => Option.none()
})

/**
 * The request header of {@link encode}.
 *
 * @category constants
 * @since 0.1.0
 */
export const header = "x-request-attempt"

/**
 * The attempt as an item of a structured field (RFC 9651): its number, with its kind and its elapsed seconds as parameters.
 *
 * @category codecs
 * @since 0.1.0
 */
export const encode = (attempt: Attempt): string =>
  `${attempt.number};kind=${attempt.kind};elapsed=${(attempt.elapsedMillis / 1000).toFixed(3)}`
