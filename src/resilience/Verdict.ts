/**
 * What an attempt's outcome means: whether the call is over, whether another attempt may do better, and what it says
 * about the health of the other side.
 *
 * Strategies, breaker, budgets and fallbacks ask the same classifier, so that they cannot disagree. {@link effect} is for
 * plain effects, {@link http} for an `HttpClient`; {@link httpWith}, {@link override} and {@link orElse} change them.
 *
 * {@link http} decides in this order, the first that applies:
 *
 * 1. a status of `httpWith`'s own table;
 * 2. 5xx, 408 and 429: rejected, with the `Retry-After` of the response; every other status: accepted;
 * 3. a rejection with `X-Do-Not-Retry: 1` from a hop that is trusted: fatal. It ends the call and changes nothing else:
 *    the circuit hears of the same failure.
 *
 * A failed connection and a timeout are rejected. Interruption, and a refusal of our own guards, are fatal and neutral:
 * nobody has spoken with the other side. A defect is fatal, and counts as a failure.
 *
 * **Gotchas**
 *
 * - Accepted means finished, not good: a 404 is an answer.
 * - A classifier says whether repeating may help, not whether it is allowed: that depends on the request.
 * - A passed deadline is rejected, because a verdict cannot know whether it had passed before the call began. A circuit
 *   breaker knows, and `ClientStack` too: leave that question to them.
 * - An open circuit ends the call. Where another attempt goes to another endpoint, use {@link retryRefusals}.
 *
 * @example
 * ```ts
 * import { Exit } from "effect"
 * import { Verdict } from "effect-lifecycle/resilience"
 * import assert from "node:assert/strict"
 *
 * class SoldOut { readonly _tag = "SoldOut" }
 * const classify = Verdict.override(Verdict.effect, Verdict.tags({ SoldOut: Verdict.accept }))
 * const attempt = { number: 1, kind: "primary", startedAtNanos: 0n, elapsedMillis: 0 } as const
 *
 * assert.equal(classify(Exit.fail("busy"), attempt)._tag, "Reject")
 * assert.equal(classify(Exit.fail(new SoldOut()), attempt)._tag, "Accept")
 * assert.equal(Verdict.outcome(Verdict.fatal("neutral")), "neutral")
 * ```
 *
 * @since 0.1.0
 */
import { Cause, Duration, type Exit, Option, Predicate } from "effect"
import { dual } from "effect/Function"
import { isHttpClientError } from "effect/http/HttpClientError"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import type { Attempt } from "./Attempt.ts"
import { InvalidOption } from "./InvalidOption.ts"
import * as RetryAfter from "./RetryAfter.ts"

/**
 * What an attempt's outcome means for what comes next.
 *
 * - `Accept`: done; the caller gets it, even where it is a failure that only the caller understands.
 * - `Reject`: another attempt may do better, not before `retryAfter`.
 * - `Fatal`: another attempt must not be made. `health` says whether the other side is to blame.
 *
 * @category models
 * @since 0.1.0
 */
export type Verdict =
  | { readonly _tag: "Accept" }
  | { readonly _tag: "Reject"; readonly retryAfter: Duration.Duration | undefined }
  | { readonly _tag: "Fatal"; readonly health: "failure" | "neutral" }

/**
 * @category models
 * @since 0.1.0
 */
export type Classifier<in A, in E> = (exit: Exit.Exit<A, E>, attempt: Attempt) => Verdict

/**
 * A classifier that has no answer for some outcomes.
 *
 * @category models
 * @since 0.1.0
 */
export type PartialClassifier<in A, in E> = (exit: Exit.Exit<A, E>, attempt: Attempt) => Verdict | undefined

/**
 * What an outcome says about the health of the other side; `neutral` says nothing.
 *
 * @category models
 * @since 0.1.0
 */
export type Outcome = "success" | "failure" | "neutral"

/**
 * Done.
 *
 * @category constructors
 * @since 0.1.0
 */
export const accept: Verdict = { _tag: "Accept" }

const rejected: Verdict = { _tag: "Reject", retryAfter: undefined }

/**
 * Another attempt may do better, not before `retryAfter`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const reject = (retryAfter?: Duration.Input): Verdict =>
  retryAfter === undefined ? rejected : { _tag: "Reject", retryAfter: Duration.fromInputUnsafe(retryAfter) }

const broken: Verdict = { _tag: "Fatal", health: "failure" }
const neutral: Verdict = { _tag: "Fatal", health: "neutral" }

/**
 * No other attempt, and whether the other side is to blame.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fatal = (health: "failure" | "neutral"): Verdict => health === "failure" ? broken : neutral

/**
 * What a verdict says about the health of the other side: accepted is a success, rejected a failure, fatal says it.
 *
 * @category conversions
 * @since 0.1.0
 */
export const outcome = (verdict: Verdict): Outcome =>
  verdict._tag === "Accept" ? "success" : verdict._tag === "Reject" ? "failure" : verdict.health

const refusals: ReadonlySet<unknown> = new Set([
  "CircuitOpen",
  "BulkheadRejected",
  "Throttled",
  "CircuitBreakerError",
  "RateLimiterError"
])

/**
 * Whether a failure is a refusal made here, of a call that the other side never saw: by our breaker, bulkhead or throttle,
 * by Effect's breaker or rate limiter, or by a deadline that had no time to give.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isRefusal = (error: unknown): boolean =>
  Predicate.hasProperty(error, "_tag") && (refusals.has(error._tag) ||
    (error._tag === "DeadlineExceeded" && !hadTime(error)))

// A deadline that has passed while the other side was working says something about the other side.
const hadTime = (error: object): boolean => "budgetMillis" in error && Number(error.budgetMillis) > 0

/** The verdict on a failed exit: `onError` is asked about typed errors that are no refusal. */
const failed = <E>(cause: Cause.Cause<E>, onError: (error: E) => Verdict): Verdict => {
  if (Cause.hasDies(cause)) return broken
  const error = Cause.findErrorOption(cause)
  if (Option.isNone(error)) return neutral
  return isRefusal(error.value) ? neutral : onError(error.value)
}

/**
 * For plain effects: a success is accepted, a typed failure rejected with the wait that it may ask for.
 *
 * @category classifiers
 * @since 0.1.0
 */
export const effect: Classifier<unknown, unknown> = (exit) =>
  exit._tag === "Success"
    ? accept
    : failed(exit.cause, (error) => rejectAfter(RetryAfter.find(error)))

/**
 * @category models
 * @since 0.1.0
 */
export interface HttpOptions {
  /** Wins over everything else. A `Reject` without a wait takes that of the response. */
  readonly status?:
    | { readonly [status: number]: Verdict }
    | ((status: number) => Verdict | undefined)
    | undefined
  /** Whether `X-Do-Not-Retry` of this response may end the call; nobody is trusted when absent. */
  readonly trustHints?: boolean | ((response: HttpClientResponse) => boolean) | undefined
  /** The header of the hint, `x-do-not-retry` when absent. */
  readonly hintHeader?: string | undefined
  /** A typed failure that is neither the client's nor a refusal; fatal and neutral when absent. */
  readonly onError?: ((error: unknown) => Verdict) | undefined
}

const tableOf = (status: HttpOptions["status"]): (status: number) => Verdict | undefined => {
  if (status === undefined) return () => undefined
  if (typeof status === "function") return status
  const own = new Map<number, Verdict>()
  for (const [code, verdict] of Object.entries(status)) {
    const number = Number(code)
    if (!Number.isInteger(number) || number < 100 || number > 599) {
      throw new InvalidOption({
        module: "Verdict.httpWith",
        option: "status",
        value: code,
        allowed: "a table of statuses from 100 to 599"
      })
    }
    own.set(number, verdict)
  }
  return (code) => own.get(code)
}

/**
 * {@link http} with a table of one's own, trusted hints, or an opinion on other failures.
 *
 * @category classifiers
 * @since 0.1.0
 */
export const httpWith = (options: HttpOptions): Classifier<HttpClientResponse, unknown> => {
  const hintHeader = (options.hintHeader ?? "x-do-not-retry").toLowerCase()
  const { onError, trustHints = false } = options
  const own = tableOf(options.status)
  const isTold = (response: HttpClientResponse): boolean => {
    if (trustHints === false || !saysYes(response.headers[hintHeader])) return false
    return trustHints === true || trustHints(response)
  }
  const judge = (response: HttpClientResponse): Verdict => {
    const { status } = response
    const verdict = own(status)
    if (verdict !== undefined) {
      return verdict._tag === "Reject" && verdict.retryAfter === undefined
        ? rejectAfter(RetryAfter.of(response))
        : verdict
    }
    if (status < 500 && status !== 408 && status !== 429) return accept
    return isTold(response) ? broken : rejectAfter(RetryAfter.of(response))
  }
  const judgeError = (error: unknown): Verdict => {
    if (isHttpClientError(error)) {
      const { reason } = error
      if (reason._tag === "StatusCodeError") return judge(reason.response)
      return reason._tag === "TransportError" ? rejected : neutral
    }
    if (Cause.isTimeoutError(error) || Predicate.isTagged(error, "DeadlineExceeded")) return rejected
    return onError === undefined ? neutral : onError(error)
  }
  return (exit) => exit._tag === "Success" ? judge(exit.value) : failed(exit.cause, judgeError)
}

/**
 * For the responses and errors of an `HttpClient`, whether or not it fails on a status (`HttpClient.filterStatusOk`).
 *
 * @category classifiers
 * @since 0.1.0
 */
export const http: Classifier<HttpClientResponse, unknown> = httpWith({})

/**
 * A verdict by the `_tag` of a typed failure.
 *
 * @category classifiers
 * @since 0.1.0
 */
export const tags = (table: { readonly [tag: string]: Verdict }): PartialClassifier<unknown, unknown> => (exit) => {
  if (exit._tag === "Success") return undefined
  const error = Cause.findErrorOption(exit.cause)
  if (Option.isNone(error) || !Predicate.hasProperty(error.value, "_tag")) return undefined
  const tag = error.value._tag
  return typeof tag === "string" && Object.hasOwn(table, tag) ? table[tag] : undefined
}

/**
 * The first classifier where it has an answer, else the second.
 *
 * @category combining
 * @since 0.1.0
 */
export const orElse: {
  <A2, E2>(otherwise: Classifier<A2, E2>): <A, E>(self: PartialClassifier<A, E>) => Classifier<A & A2, E & E2>
  <A, E, A2, E2>(self: PartialClassifier<A, E>, otherwise: Classifier<A2, E2>): Classifier<A & A2, E & E2>
} = dual(
  2,
  <A, E, A2, E2>(self: PartialClassifier<A, E>, otherwise: Classifier<A2, E2>): Classifier<A & A2, E & E2> =>
  (exit, attempt) => self(exit, attempt) ?? otherwise(exit, attempt)
)

/**
 * A classifier, except where `exception` has an answer: {@link orElse} the other way round.
 *
 * @category combining
 * @since 0.1.0
 */
export const override: {
  <A2, E2>(exception: PartialClassifier<A2, E2>): <A, E>(self: Classifier<A, E>) => Classifier<A & A2, E & E2>
  <A, E, A2, E2>(self: Classifier<A, E>, exception: PartialClassifier<A2, E2>): Classifier<A & A2, E & E2>
} = dual(
  2,
  <A, E, A2, E2>(self: Classifier<A, E>, exception: PartialClassifier<A2, E2>): Classifier<A & A2, E & E2> =>
    orElse(exception, self)
)

/**
 * Lets a call go on after a refusal of our own: for a strategy whose next attempt goes to another endpoint, whose circuit
 * is another one. The refusal's own `retryAfterMillis` is about the endpoint that was left, so it is not waited for.
 *
 * Use it in the strategy only; a breaker or a budget that asks it would count the refusal as a failure.
 *
 * @category combining
 * @since 0.1.0
 */
export const retryRefusals = <A, E>(self: Classifier<A, E>): Classifier<A, E> => (exit, attempt) => {
  if (exit._tag === "Success") return self(exit, attempt)
  const error = Cause.findErrorOption(exit.cause)
  return Option.isSome(error) && !Cause.hasDies(exit.cause) && isRefusal(error.value) ? rejected : self(exit, attempt)
}

const rejectAfter = (retryAfter: Option.Option<Duration.Duration>): Verdict =>
  Option.isNone(retryAfter) ? rejected : { _tag: "Reject", retryAfter: retryAfter.value }

// Nobody who writes 0 means yes, and what cannot be read means nothing.
const saysYes = (value: string | undefined): boolean =>
  value !== undefined && /^\s*(?:1|true|yes|on|\?1)\s*$/i.test(value)
