// fails: g - lets Effect's client repeat, which waits past the deadline that it does not look at
import { type Effect, Schedule } from "effect"
import type { Deadline } from "effect-lifecycle/request"
import { HttpClient, type HttpClientError, type HttpClientResponse } from "effect/http"

export * from "../solution.ts"

export const obeyWithLibrary = (
  client: HttpClient.HttpClient
): Effect.Effect<
  HttpClientResponse.HttpClientResponse,
  HttpClientError.HttpClientError | Deadline.DeadlineExceeded
> =>
  client.pipe(HttpClient.retryTransient({ schedule: Schedule.exponential("100 millis"), times: 3 })).get(
    "http://payments.internal/payments"
  )
