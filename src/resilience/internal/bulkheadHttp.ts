/**
 * What a bulkhead makes of HTTP: which answers say that the other side is overloaded, and how a refusal is answered.
 */
import { Effect, Option, Predicate } from "effect"
import { HttpClientRequest, HttpClientResponse, HttpServerResponse, ProblemDetails } from "effect/http"
import * as RequestId from "../../request/RequestId.ts"
import type { BulkheadRejected } from "./bulkheadRejected.ts"

export const originOf = (request: HttpClientRequest.HttpClientRequest): string =>
  Option.match(HttpClientRequest.toUrl(request), { onNone: () => request.url, onSome: (url) => url.origin })

export const statusOf = (value: unknown): number | undefined => {
  const isResponse = HttpServerResponse.isHttpServerResponse(value) ||
    Predicate.hasProperty(value, HttpClientResponse.TypeId)
  return isResponse && Predicate.hasProperty(value, "status") && typeof value.status === "number"
    ? value.status
    : undefined
}

/** 503 as a problem document, with the members the house's other problems have. */
export const unavailable = (rejected: BulkheadRejected): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.withFiber((fiber) => {
    const seconds = Math.max(1, Math.ceil(rejected.retryAfterMillis / 1000))
    const id = fiber.getRef(RequestId.Current)
    const response = ProblemDetails.toResponse({
      type: "urn:problem:bulkhead-rejected",
      title: "Too busy",
      status: 503,
      detail: `The server is at its limit: repeat after ${seconds} s`,
      ...(Option.isNone(id) ? {} : { instance: `urn:request:${id.value}`, requestId: id.value }),
      stage: "Middleware"
    })
    return Effect.succeed(HttpServerResponse.setHeader(response, "retry-after", String(seconds)))
  })
