/**
 * When the other side wants to be asked again: the `Retry-After` of a response (RFC 9110, 10.2.3), or the same thing said
 * by a guard of our own.
 *
 * The header is a whole number of seconds or a date. A date is counted from the response's own `Date`, so that a clock that
 * is wrong here changes nothing; without one, from the clock of the running fiber. What cannot be read is ignored.
 *
 * **Gotchas**
 *
 * - A value is a wish, and it comes from outside: `RetrySchedule` and `RequestStrategy` bound it by the deadline and by a
 *   maximum, and shake it upward, because everybody who was turned away has been told the same.
 *
 * @example
 * ```ts
 * import { Duration, Option } from "effect"
 * import { RetryAfter } from "effect-lifecycle/resilience"
 * import assert from "node:assert/strict"
 *
 * const now = Date.parse("Wed, 21 Oct 2015 07:28:00 GMT")
 * const wait = (value: string) => Option.map(RetryAfter.parse(value, now), Duration.toMillis)
 *
 * assert.deepEqual(wait("120"), Option.some(120_000))
 * assert.deepEqual(wait("Wed, 21 Oct 2015 07:28:07 GMT"), Option.some(7000))
 * assert.deepEqual(wait("soon"), Option.none())
 * ```
 *
 * @since 0.1.0
 */
import { Clock, DateTime, Duration, Fiber, Option, Predicate, Result } from "effect"
import * as Headers from "effect/http/Headers"

/**
 * The wait that a header's value asks for; none where it is neither seconds nor a date. A date that is over asks for none
 * at all: zero.
 *
 * @category codecs
 * @since 0.1.0
 */
export const parse = (value: string, nowWallMillis: number): Option.Option<Duration.Duration> => {
  const parsed = Headers.parseRetryAfter(value)
  if (Result.isFailure(parsed)) return Option.none()
  if (parsed.success._tag === "DateTime" && !Number.isFinite(nowWallMillis)) return Option.none()
  return Option.some(Headers.retryAfterDelay(parsed.success, nowWallMillis))
}

/**
 * The wait that a response asks for.
 *
 * @category accessors
 * @since 0.1.0
 */
export const of = (
  response: { readonly headers: { readonly [name: string]: string | undefined } }
): Option.Option<Duration.Duration> => {
  const value = response.headers["retry-after"]
  return value === undefined ? Option.none() : parse(value, sentAt(response.headers["date"]))
}

/**
 * The wait that a failure or a response asks for: an HTTP response, an error that carries one (`HttpClientError`), or a
 * refusal that says `retryAfterMillis`, as `CircuitOpen` and `BulkheadRejected` do.
 *
 * @category accessors
 * @since 0.1.0
 */
export const find = (outcome: unknown): Option.Option<Duration.Duration> => {
  if (!Predicate.isObject(outcome)) return Option.none()
  if ("retryAfterMillis" in outcome) {
    const millis = outcome.retryAfterMillis
    return typeof millis === "number" && Number.isFinite(millis) && millis >= 0
      ? Option.some(Duration.millis(millis))
      : Option.none()
  }
  if (hasHeaders(outcome)) return of(outcome)
  return "response" in outcome && hasHeaders(outcome.response) ? of(outcome.response) : Option.none()
}

const hasHeaders = (
  value: unknown
): value is { readonly headers: { readonly [name: string]: string | undefined } } =>
  Predicate.isObject(value) && "headers" in value && Predicate.isObject(value.headers)

const sentAt = (date: string | undefined): number => {
  if (date !== undefined) {
    const parsed = Headers.parseHttpDate(date)
    if (Result.isSuccess(parsed)) return DateTime.toEpochMillis(parsed.success)
  }
  return Fiber.getCurrent()?.getRef(Clock.Clock).currentTimeMillisUnsafe() ?? Number.NaN
}
