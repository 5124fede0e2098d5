// A schedule of the library for the answers that are failures to it; the reason is found afterwards.
import { Clock, Duration, Effect, Option } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { RetryAfter, RetrySchedule } from "effect-lifecycle/resilience"
import type { HttpClient, HttpClientError, HttpClientResponse } from "effect/http"
import { type Answer, GaveUp } from "../solution.ts"

export { type Answer, GaveUp } from "../solution.ts"

export const asked = (value: string, nowMillis: number): number | undefined =>
  Option.getOrUndefined(Option.map(RetryAfter.parse(value, nowMillis), Duration.toMillis))

const waits = {
  attempts: 4,
  delay: RetrySchedule.exponential({ base: "100 millis" }),
  jitter: RetrySchedule.none,
  retryAfter: { maximum: "30 seconds", jitter: 0.2 }
} as const

interface Refused {
  readonly last: Answer
  readonly number: number
  readonly retryAfterMillis?: number
}

export const obey = (send: Effect.Effect<Answer>): Effect.Effect<Answer, GaveUp> =>
  Effect.suspend(() => {
    let number = 0
    const attempt = Effect.gen(function*() {
      const last = yield* send
      number++
      if (last.status !== 429 && last.status !== 503) return last
      const told = asked(last.retryAfter ?? "", yield* Clock.currentTimeMillis)
      const refused: Refused = { last, number, ...(told === undefined ? {} : { retryAfterMillis: told }) }
      return yield* Effect.fail(refused)
    })
    const reason = ({ number, retryAfterMillis = 0 }: Refused): GaveUp["reason"] =>
      number >= waits.attempts ? "attempts" : retryAfterMillis > 30_000 ? "too long" : "no time"
    return attempt.pipe(
      Effect.retry(RetrySchedule.make(waits)),
      Effect.mapError((refused) => new GaveUp({ reason: reason(refused), last: refused.last }))
    )
  })

export const obeyWithLibrary = (
  client: HttpClient.HttpClient
): Effect.Effect<
  HttpClientResponse.HttpClientResponse,
  HttpClientError.HttpClientError | Deadline.DeadlineExceeded
> =>
  Effect.gen(function*() {
    const next = RetrySchedule.nextDelay(waits)
    let response = yield* client.get("http://payments.internal/payments")
    for (let retry = 1; retry < waits.attempts && (response.status === 429 || response.status === 503); retry++) {
      const left = Option.getOrUndefined(Option.map(yield* Deadline.remaining, Duration.toMillis))
      const told = Option.getOrUndefined(RetryAfter.of(response))
      const step = {
        previousMillis: 0,
        nowNanos: 0n,
        random: 0.5,
        ...(left === undefined ? {} : { remainingMillis: left })
      }
      const wait = next(retry, step, told)
      if (wait === undefined) return response
      yield* Effect.sleep(wait)
      response = yield* client.get("http://payments.internal/payments")
    }
    return response
  })
