/**
 * Sharing a deadline between attempts.
 */
import { Duration } from "effect"
import { nanosOf } from "./nanos.ts"

/**
 * How the time that is left is shared between the attempts of one call.
 *
 * `"pass"` gives each attempt everything that is left, `"even"` an equal part for it and each one still to come,
 * `{ even: n }` equal parts for the first `n` and everything to the rest.
 *
 * @category models
 * @since 0.1.0
 */
export type Split =
  | "pass"
  | "even"
  | { readonly even: number }
  | ((remaining: Duration.Duration, attempt: number, total: number) => Duration.Duration)

/**
 * The share of `remaining` that attempt number `attempt` (from 1) of `total` gets. Call it when the attempt starts, so
 * that time which an earlier attempt did not use goes to the later ones.
 *
 * @category combinators
 * @since 0.1.0
 */
export const split =
  (policy: Split) => (remaining: Duration.Duration, attempt: number, total: number): Duration.Duration => {
    if (policy === "pass") return remaining
    if (typeof policy === "function") return Duration.min(remaining, policy(remaining, attempt, total))
    const shares = (policy === "even" ? total : Math.min(policy.even, total)) - attempt + 1
    if (!(shares > 1) || !Duration.isFinite(remaining)) return remaining
    return Duration.nanos(nanosOf(remaining) / BigInt(Math.floor(shares)))
  }
