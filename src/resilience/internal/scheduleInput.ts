/**
 * What a retry schedule is told: the error of the last attempt, or, by `HttpClient.retryTransient`, its response.
 */
import { type Duration, Exit, Option, Predicate } from "effect"
import { type HttpClientResponse, TypeId } from "effect/http/HttpClientResponse"
import type { Attempt } from "../Attempt.ts"
import * as RetryAfter from "../RetryAfter.ts"
import * as Verdict from "../Verdict.ts"

export type Judged =
  | { readonly _tag: "Retry"; readonly retryAfter: Duration.Duration | undefined }
  | { readonly _tag: "Done"; readonly outcome: Verdict.Outcome }

const unknownAttempt: Attempt = { number: 1, kind: "primary", startedAtNanos: 0n, elapsedMillis: 0 }

const isResponse = (input: unknown): input is HttpClientResponse => Predicate.hasProperty(input, TypeId)

/** An error is retried, since whoever uses the schedule decides about errors; a response only where it is rejected. */
export const judgeInput = (input: unknown): Judged => {
  if (!isResponse(input)) return { _tag: "Retry", retryAfter: Option.getOrUndefined(RetryAfter.find(input)) }
  const verdict = Verdict.http(Exit.succeed(input), unknownAttempt)
  return verdict._tag === "Reject"
    ? { _tag: "Retry", retryAfter: verdict.retryAfter }
    : { _tag: "Done", outcome: Verdict.outcome(verdict) }
}
