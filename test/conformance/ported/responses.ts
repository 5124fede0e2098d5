/** What an upstream answers, for classifiers. */
import type { Attempt } from "effect-lifecycle/resilience"
import { HttpClientRequest, HttpClientResponse } from "effect/http"

const request = HttpClientRequest.get("https://payments/thing")

export const response = (status: number, headers: Readonly<Record<string, string>> = {}) =>
  HttpClientResponse.fromWeb(request, new Response(null, { status, headers: { ...headers } }))

export const firstAttempt: Attempt.Attempt = { number: 1, kind: "primary", startedAtNanos: 0n, elapsedMillis: 0 }
