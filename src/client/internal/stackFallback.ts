import { Cause, Effect, Exit } from "effect"
import { HttpClientError, StatusCodeError } from "effect/http/HttpClientError"
import type { HttpClientRequest } from "effect/http/HttpClientRequest"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import * as Fallback from "../../resilience/Fallback.ts"
import type { Classifier } from "../../resilience/Verdict.ts"
import type { FallbackOptions } from "../ClientStack.ts"
import { discard } from "./responseBody.ts"
import type { Refused } from "./stackCall.ts"

const whole = { number: 1, kind: "primary", startedAtNanos: 0n, elapsedMillis: 0 } as const

/** A rejected response is a failure as long as the fallback is asked, and a response again where it was not taken. */
export const withFallback = <R, E2, R2>(
  self: Effect.Effect<HttpClientResponse, HttpClientError | Refused, R>,
  request: HttpClientRequest,
  options: FallbackOptions<E2, R2>,
  verdict: Classifier<HttpClientResponse, unknown>
): Effect.Effect<HttpClientResponse, HttpClientError | Refused | E2, R | R2> =>
  Effect.suspend(() => {
    let rejected: HttpClientError | undefined
    const primary = options.responses === false ? self : Effect.flatMap(self, (response) => {
      if (verdict(Exit.succeed(response), whole)._tag !== "Reject") return Effect.succeed(response)
      rejected = new HttpClientError({ reason: new StatusCodeError({ request, response }) })
      return Effect.fail(rejected)
    })
    const guarded = Fallback.effect(primary, {
      name: options.name ?? "client",
      on: options.on,
      fallback: (cause) =>
        Effect.tap(options.fallback(cause, request), (answer) => {
          const response = rejected?.response
          return response === undefined || response === answer ? Effect.void : discard(response)
        })
    })
    return Effect.catchCause(guarded, (cause) => {
      const [reason] = cause.reasons
      const response = rejected?.response
      return response !== undefined && cause.reasons.length === 1 && reason !== undefined &&
          Cause.isFailReason(reason) &&
          reason.error === rejected
        ? Effect.succeed(response)
        : Effect.failCause(cause)
    })
  })
