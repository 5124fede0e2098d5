import { Clock, Data, Duration, Effect, Option, Random } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { RequestStrategy, RetrySchedule, Verdict } from "effect-lifecycle/resilience"
import type { HttpClient, HttpClientError, HttpClientResponse } from "effect/http"

export interface Answer {
  readonly status: number
  readonly retryAfter?: string
}

export class GaveUp extends Data.TaggedError("GaveUp")<{
  readonly reason: "attempts" | "no time" | "too long"
  readonly last: Answer
}> {}

export const asked = (value: string, nowMillis: number): number | undefined => {
  const text = value.trim()
  if (/^\d+$/.test(text)) return Number(text) * 1000
  const date = text.endsWith("GMT") ? Date.parse(text) : Number.NaN
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMillis)
}

const repeatable = (answer: Answer): boolean => answer.status === 429 || answer.status === 503

export const obey = (send: Effect.Effect<Answer>): Effect.Effect<Answer, GaveUp> =>
  Effect.gen(function*() {
    for (const own of [100, 200, 400]) {
      const last = yield* send
      if (!repeatable(last)) return last
      const told = asked(last.retryAfter ?? "", yield* Clock.currentTimeMillis) ?? 0
      if (told > 30_000) return yield* new GaveUp({ reason: "too long", last })
      const wait = told > own ? told * (1 + 0.2 * (yield* Random.next)) : own
      const left = yield* Deadline.remaining
      if (Option.isSome(left) && wait > Duration.toMillis(left.value)) {
        return yield* new GaveUp({ reason: "no time", last })
      }
      yield* Effect.sleep(wait)
    }
    const last = yield* send
    return repeatable(last) ? yield* new GaveUp({ reason: "attempts", last }) : last
  })

const strategy = RequestStrategy.sequential({
  attempts: 4,
  delay: RetrySchedule.exponential({ base: "100 millis" }),
  jitter: RetrySchedule.none,
  verdict: Verdict.http
})

export const obeyWithLibrary = (
  client: HttpClient.HttpClient
): Effect.Effect<
  HttpClientResponse.HttpClientResponse,
  HttpClientError.HttpClientError | Deadline.DeadlineExceeded
> => strategy.run(() => client.get("http://payments.internal/payments"), { method: "GET" })
