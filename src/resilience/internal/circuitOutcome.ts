import { type Cause, Exit } from "effect"
import type { Outcome } from "../Verdict.ts"

/** Failures that a guard of this process made up without asking the other side. */
const localTags: ReadonlySet<unknown> = new Set(["CircuitOpen", "BulkheadRejected", "Throttled"])

/**
 * What an exit says when nobody classifies it: a typed failure or a defect is a failure of the other side; interruption,
 * what a guard of this process refused, and a deadline that had passed before the call began are not.
 */
export const outcomeOf = (exit: Exit.Exit<unknown, unknown>, durationMillis: number): Outcome => {
  if (Exit.isSuccess(exit)) return "success"
  const counts = exit.cause.reasons.some((reason) =>
    reason._tag === "Die" || (reason._tag === "Fail" && !isLocal(reason.error, durationMillis))
  )
  return counts ? "failure" : "neutral"
}

const isLocal = (error: unknown, durationMillis: number): boolean => {
  if (typeof error !== "object" || error === null || !("_tag" in error)) return false
  if (localTags.has(error._tag)) return true
  if (error._tag !== "DeadlineExceeded" || !("budgetMillis" in error) || !("elapsedMillis" in error)) return false
  const { budgetMillis, elapsedMillis } = error
  return typeof budgetMillis === "number" && typeof elapsedMillis === "number" &&
    elapsedMillis - durationMillis >= budgetMillis
}

/** Whether a failed exit counts against the other side. */
export type FailurePredicate = (cause: Cause.Cause<unknown>) => boolean

export const isFailureOf = (exit: Exit.Exit<unknown, unknown>, isFailure: FailurePredicate): Outcome => {
  if (Exit.isSuccess(exit)) return "success"
  return isFailure(exit.cause) ? "failure" : "neutral"
}
