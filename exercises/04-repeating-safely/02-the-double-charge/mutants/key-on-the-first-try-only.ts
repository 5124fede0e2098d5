// fails: c - sends the key once and repeats the bare request
import { Effect } from "effect"
import { HttpClient, type HttpClientError, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { ClientStack, IdempotencyKey } from "effect-lifecycle/client"

type Answer = Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>

export interface Payments {
  readonly find: (id: string) => Answer
  readonly charge: (cents: number) => Answer
  readonly refund: (cents: number) => Answer
}

const post = (path: string, cents: number) =>
  HttpClientRequest.post(`http://payments.test${path}`).pipe(HttpClientRequest.bodyJsonUnsafe({ cents }))

export const makePayments = (client: HttpClient.HttpClient): Payments => {
  const retrying = client.pipe(HttpClient.retryTransient({ times: 3 }))
  return {
    find: (id) => retrying.get(`http://payments.test/charges/${id}`),
    charge: (cents) =>
      Effect.flatMap(
        IdempotencyKey.generate,
        (key) =>
          client.execute(HttpClientRequest.setHeader(post("/charges", cents), IdempotencyKey.header, key)).pipe(
            Effect.flatMap((response) =>
              response.status === 503 ? retrying.execute(post("/charges", cents)) : Effect.succeed(response)
            )
          )
      ),
    refund: (cents) => client.execute(post("/refunds", cents))
  }
}

export const makePaymentsWithLibrary = (client: HttpClient.HttpClient): Payments => {
  const stack = client.pipe(ClientStack.httpClient())
  return {
    find: (id) => stack.get(`http://payments.test/charges/${id}`),
    charge: (cents) =>
      Effect.flatMap(
        IdempotencyKey.generate,
        (key) => IdempotencyKey.provide(stack.execute(post("/charges", cents)), key)
      ),
    refund: (cents) => stack.execute(post("/refunds", cents))
  }
}
