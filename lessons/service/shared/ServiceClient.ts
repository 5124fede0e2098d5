/**
 * An `HttpClient` for calls between the services: it speaks with the service's own token, never the caller's, hands on the
 * deadline, the request id, the priority and the trace, and gives a neighbour in trouble time to recover.
 */
import { Duration, Effect, Option, type Redacted } from "effect"
import { ClientStack } from "effect-lifecycle/client"
import { Deadline } from "effect-lifecycle/request"
import { Bulkhead, CircuitBreaker, RequestStrategy, RetryBudget } from "effect-lifecycle/resilience"
import { HttpClient, type HttpClientError, HttpClientRequest } from "effect/http"

export type ServiceClient = HttpClient.HttpClient.With<HttpClientError.HttpClientError | ClientStack.Refused>

export const make = Effect.fnUntraced(function*(options: {
  /** This service's name. */
  readonly service: string
  /** What its circuit and its bulkhead are called, where the service makes calls of several kinds. */
  readonly name?: string | undefined
  readonly token: Redacted.Redacted
  /** The base address of the other service. */
  readonly url: string
}): Effect.fn.Return<ServiceClient, never, HttpClient.HttpClient> {
  const name = options.name ?? `calls of ${options.service}`
  const breaker = yield* CircuitBreaker.make({
    name,
    trip: CircuitBreaker.failureRate({ failureThreshold: 0.5, minimumThroughput: 20, samplingDuration: "10 seconds" }),
    breakDuration: "5 seconds"
  })
  const budget = yield* RetryBudget.ratio({ name })
  const bulkhead = yield* Bulkhead.make({ name, permits: 64, queue: 256 })
  const stack = ClientStack.make({
    baseUrl: options.url,
    serviceName: options.service,
    timeout: "10 seconds",
    // Somebody waits for the answer: who asks for a longer break than this is not asked again.
    strategy: RequestStrategy.sequential({ attempts: 3, budget, retryAfter: { maximum: "500 millis" } }),
    breaker,
    bulkhead,
    // A little is kept back to read the answer and to tell the caller about it.
    headers: { margin: "5 millis" }
  })
  return (yield* HttpClient.HttpClient).pipe(
    stack,
    HttpClient.mapRequest((request) =>
      request.pipe(HttpClientRequest.bearerToken(options.token), HttpClientRequest.acceptJson)
    )
  )
})

/**
 * For calls on behalf of a request that is served: where its time is up, its own server says so, and there is nothing else
 * to answer any more.
 */
export const leaveToServer = (client: ServiceClient): ServiceClient =>
  HttpClient.transformResponse(
    client,
    Effect.catchTag("DeadlineExceeded", (error) =>
      Effect.flatMap(
        Deadline.remaining,
        (left) => Option.exists(left, Duration.isZero) ? Effect.never : Effect.fail(error)
      ))
  )

/** What went wrong with a call, in words that may leave the service. */
export const reasonOf = (service: string, answer: { readonly status: number } | undefined): string =>
  answer === undefined ? `${service} could not be reached` : `${service} answered ${answer.status}`
