// One strategy decides by method and key, for both; the key is set by a client that maps its requests.
import { Effect } from "effect"
import { type HttpClient, type HttpClientError, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { ClientStack, IdempotencyKey } from "effect-lifecycle/client"
import { RequestStrategy, Verdict } from "effect-lifecycle/resilience"

type Answer = Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>

export interface Payments {
  readonly find: (id: string) => Answer
  readonly charge: (cents: number) => Answer
  readonly refund: (cents: number) => Answer
}

const post = (path: string, cents: number) =>
  HttpClientRequest.post(`http://payments.test${path}`).pipe(HttpClientRequest.bodyJsonUnsafe({ cents }))

const withKey = <A, E, R>(call: (key: string) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(IdempotencyKey.generate, (key) => call(key))

const four = RequestStrategy.sequential<HttpClientResponse.HttpClientResponse>({ attempts: 4, verdict: Verdict.http })
const strategy = RequestStrategy.byMethod({ safe: four, idempotent: four })

export const makePayments = (client: HttpClient.HttpClient): Payments => {
  const send = (request: HttpClientRequest.HttpClientRequest): Answer =>
    strategy.run(() => client.execute(request), {
      method: request.method,
      hasIdempotencyKey: IdempotencyKey.header in request.headers
    }).pipe(Effect.catchTag("DeadlineExceeded", Effect.die))
  return {
    find: (id) => send(HttpClientRequest.get(`http://payments.test/charges/${id}`)),
    charge: (cents) =>
      withKey((key) => send(HttpClientRequest.setHeader(post("/charges", cents), IdempotencyKey.header, key))),
    refund: (cents) => send(post("/refunds", cents))
  }
}

export const makePaymentsWithLibrary = (client: HttpClient.HttpClient): Payments => {
  const plain = client.pipe(ClientStack.httpClient({ strategy }))
  const keyed = client.pipe(ClientStack.httpClient({ strategy, idempotencyKey: "generate" }))
  return {
    find: (id) => plain.get(`http://payments.test/charges/${id}`),
    charge: (cents) => keyed.execute(post("/charges", cents)),
    refund: (cents) => plain.execute(post("/refunds", cents))
  }
}
