/**
 * 04.2 The double charge
 *
 * On a bad evening some customers paid for one order up to four times. The gateway in front of the payments service had
 * done this: take the request, let the card be charged, lose the answer, and say 503. The client of `orders` did the rest.
 * `HttpClient.retryTransient` repeats whatever comes back with 503, and does not ask whether it is a POST.
 *
 * Now the service keeps idempotency keys for charges: a `POST /charges` whose `idempotency-key` it has seen is answered
 * again and charges nothing. For refunds it keeps none, and a header that it does not know it ignores.
 *
 * Do
 * 1. `makePayments`: keep the retries where they do no harm, and only there. Three further tries are enough.
 * 2. `charge` sends a key, the same one in every try of one operation. Two charges of the same amount are two operations.
 * 3. `refund` is sent once.
 * 4. `makePaymentsWithLibrary`: the same with `ClientStack.httpClient` and `IdempotencyKey` from `effect-lifecycle/client`,
 *    whose strategy looks at method and key by itself.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/04-repeating-safely/02-the-double-charge/exercise.ts`.
 */
import { Effect } from "effect"
import {
  HttpClient,
  type HttpClientError,
  HttpClientRequest,
  HttpClientResponse
} from "effect/http"

type Answer = Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>

/** What `orders` asks of the payments service. */
export interface Payments {
  /** Reads a charge. */
  readonly find: (id: string) => Answer
  /** Charges the card; each run is one operation. */
  readonly charge: (cents: number) => Answer
  /** Pays back; each run is one operation. */
  readonly refund: (cents: number) => Answer
}

const post = (path: string, cents: number) =>
  HttpClientRequest.post(`http://payments.test${path}`).pipe(HttpClientRequest.bodyJsonUnsafe({ cents }))

/** With retries written here. */
export const makePayments = (client: HttpClient.HttpClient): Payments => {
  const retrying = client.pipe(HttpClient.retryTransient({ times: 3 }))
  return {
    find: (id) => retrying.get(`http://payments.test/charges/${id}`),
    charge: (cents) => retrying.execute(post("/charges", cents)),
    refund: (cents) => retrying.execute(post("/refunds", cents))
  }
}

/** With the retries of the library. */
export const makePaymentsWithLibrary = (client: HttpClient.HttpClient): Payments => ({
  find: (id) => client.get(`http://payments.test/charges/${id}`),
  charge: (cents) => client.execute(post("/charges", cents)),
  refund: (cents) => client.execute(post("/refunds", cents))
})

if (import.meta.main) {
  let charged = 0
  const gateway = HttpClient.make((request) =>
    Effect.sync(() => {
      charged++
      const key = request.headers["idempotency-key"] ?? "no key"
      console.log(`  ${request.method} ${request.url} with ${key}: charged, and the answer is lost`)
      return HttpClientResponse.fromWeb(request, new Response(null, { status: 503 }))
    })
  )
  console.log("One order, one charge of 500 cents:")
  await Effect.runPromise(makePayments(gateway).charge(500))
  console.log(`The card was charged ${charged} times, by a service that keeps no keys.`)
}
