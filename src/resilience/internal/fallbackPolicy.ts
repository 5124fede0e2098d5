import { Cause, Exit, Predicate } from "effect"
import type { CircuitBreakerError } from "effect/persistence/CircuitBreaker"
import type { Attempt } from "../Attempt.ts"
import type { CircuitOpen } from "../CircuitBreaker.ts"
import type { Classifier } from "../Verdict.ts"

/**
 * A failure in a list: its `_tag`, or its class.
 *
 * @category models
 * @since 0.1.0
 */
export type Listed<E> =
  | (E extends { readonly _tag: infer Tag extends string } ? Tag : never)
  | CircuitOpen["_tag"]
  | (abstract new(...args: never) => unknown)

/**
 * Which failures are worth a fallback. Everything absent: any typed failure.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy<E> {
  /** The failures that count, as a list or as a question. An empty list means any typed failure. */
  readonly failures?: ReadonlyArray<Listed<E>> | ((failure: E) => boolean) | undefined
  /** Whether an open circuit counts even where `failures` does not name it; true when absent. */
  readonly openCircuit?: boolean | undefined
  /** Whether a defect counts, or which; none when absent. */
  readonly defects?: boolean | ((defect: unknown) => boolean) | undefined
}

/**
 * A {@link Policy}, or its `failures` alone.
 *
 * @category models
 * @since 0.1.0
 */
export type On<E> = ReadonlyArray<Listed<E>> | ((failure: E) => boolean) | Policy<E>

/**
 * Whether a failure is a circuit breaker's refusal: ours, or that of `effect/persistence`.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isOpenCircuit = (failure: unknown): failure is CircuitOpen | CircuitBreakerError =>
  Predicate.isTagged(failure, "CircuitOpen") || (
    Predicate.isTagged(failure, "CircuitBreakerError") && Predicate.hasProperty(failure, "reason") &&
    (Predicate.isTagged(failure.reason, "CircuitOpen") || Predicate.isTagged(failure.reason, "CircuitHalfOpen"))
  )

/**
 * The one rule of all fallbacks: never on interruption, on defects only when asked, on an open circuit unless told not to,
 * else on the failures listed.
 *
 * A cause with several failures counts when one of them does.
 *
 * @category predicates
 * @since 0.1.0
 */
export const shouldFallback = <E>(on?: On<E>): (cause: Cause.Cause<E | CircuitOpen>) => boolean => {
  const { defects = false, failures, openCircuit = true } = policyOf(on)
  const counts = (failure: E | CircuitOpen): boolean => {
    if (isOpenCircuit(failure)) return openCircuit || isNamed(failures, failure)
    return failures === undefined || (typeof failures === "function"
      ? failures(failure)
      : failures.length === 0 || isNamed(failures, failure))
  }
  const defectCounts = typeof defects === "function" ? defects : () => defects
  return (cause) => {
    if (Cause.hasInterrupts(cause)) return false
    const died = cause.reasons.filter(Cause.isDieReason)
    return died.length > 0
      ? died.every((reason) => defectCounts(reason.defect))
      : cause.reasons.some((reason) => Cause.isFailReason(reason) && counts(reason.error))
  }
}

/**
 * A policy from a `Verdict` classifier: what it rejects is worth a fallback, what it accepts or calls fatal is not.
 *
 * @category constructors
 * @since 0.1.0
 */
export const byVerdict = <E>(classifier: Classifier<never, E>): Policy<E> => ({
  failures: (failure) => classifier(Exit.fail(failure), onlyAttempt)._tag === "Reject"
})

const onlyAttempt: Attempt = { number: 1, kind: "primary", startedAtNanos: 0n, elapsedMillis: 0 }

const isNamed = <E>(failures: Policy<E>["failures"], failure: unknown): boolean =>
  Array.isArray(failures) &&
  failures.some((listed: Listed<E>) =>
    typeof listed === "string" ? Predicate.isTagged(failure, listed) : failure instanceof listed
  )

const policyOf = <E>(on: On<E> | undefined): Policy<E> => on === undefined ? {} : isPolicy(on) ? on : { failures: on }

const isPolicy = <E>(on: On<E>): on is Policy<E> => typeof on !== "function" && !Array.isArray(on)

/** What reports call a cause: bounded and safe, so never a message. */
export const triggerOf = (cause: Cause.Cause<unknown>): string => {
  if (Cause.hasDies(cause)) return "defect"
  for (const reason of cause.reasons) {
    if (Cause.isFailReason(reason) && Predicate.hasProperty(reason.error, "_tag")) {
      if (typeof reason.error._tag === "string") return reason.error._tag
    }
  }
  return "failure"
}
