/**
 * An `HttpClient` for calls between the services: it speaks with the service's own token, never the caller's, and hands on
 * the deadline, the request id, the priority and the trace.
 */
import { Effect, type Redacted } from "effect"
import { Propagation } from "effect-lifecycle/request"
import { HttpClient, HttpClientRequest } from "effect/http"

export const make = (options: {
  /** This service's name. */
  readonly service: string
  readonly token: Redacted.Redacted
  /** The base address of the other service. */
  readonly url: string
}): Effect.Effect<HttpClient.HttpClient, never, HttpClient.HttpClient> =>
  Effect.map(HttpClient.HttpClient, (client) =>
    client.pipe(
      HttpClient.mapRequest((request) =>
        request.pipe(
          HttpClientRequest.prependUrl(options.url),
          HttpClientRequest.bearerToken(options.token),
          HttpClientRequest.acceptJson
        )
      ),
      // A little is kept back to read the answer and to tell the caller about it.
      (client) => Propagation.httpClient(client, { margin: "5 millis", serviceName: options.service })
    ))

/** What went wrong with a call, in words that may leave the service. */
export const reasonOf = (service: string, answer: { readonly status: number } | undefined): string =>
  answer === undefined ? `${service} could not be reached` : `${service} answered ${answer.status}`
