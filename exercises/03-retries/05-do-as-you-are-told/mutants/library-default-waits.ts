// fails: g - forgets that the library has waits of its own
import type { Effect } from "effect"
import type { Deadline } from "effect-lifecycle/request"
import { RequestStrategy, Verdict } from "effect-lifecycle/resilience"
import type { HttpClient, HttpClientError, HttpClientResponse } from "effect/http"

export * from "../solution.ts"

const strategy = RequestStrategy.sequential({ attempts: 4, verdict: Verdict.http })

export const obeyWithLibrary = (
  client: HttpClient.HttpClient
): Effect.Effect<
  HttpClientResponse.HttpClientResponse,
  HttpClientError.HttpClientError | Deadline.DeadlineExceeded
> => strategy.run(() => client.get("http://payments.internal/payments"), { method: "GET" })
