/** The afternoon of the incident: payments that becomes slow, silent and well again, and customers who know nothing of it. */
import { Clock, Effect, Fiber, identity } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { FakeUpstream } from "effect-lifecycle/testing"

/** When payments changes, in milliseconds from the first request. */
export const slowFrom = 500
export const silentFrom = 2200
export const wellFrom = 6500

/** Customers stop coming here; the day of the incident goes on until the last that has a name got an answer. */
const lastArrival = 10_000

/** The customer who wrote the letter: two seconds of pricing, and then no connection. */
export const victim = { id: "f4a2b3c1", lines: 40, at: 1200 }

export interface Visit {
  readonly kind: "read" | "order" | "victim"
  readonly startMillis: number
  /** 0 when there was no answer until the end. */
  readonly status: number
  readonly millis: number
  readonly retryAfter: string | null
}

/** Payments, on a socket of its own. What it has not answered while it was silent it never answers. */
export const payments = Effect.gen(function*() {
  const clock = yield* Clock.Clock
  let began = Number.POSITIVE_INFINITY
  const { url } = yield* FakeUpstream.make(() => {
    const now = clock.currentTimeMillisUnsafe() - began
    if (now >= silentFrom && now < wellFrom) return FakeUpstream.never
    return FakeUpstream.respond({ status: 201, latency: now >= slowFrom && now < silentFrom ? 1200 : 40 })
  })
  return { url, begin: (millis: number) => void (began = millis) }
})

/** Sends everything at its time, whatever became of what was sent before, and waits for the customer who wrote. */
export const visits = Effect.fnUntraced(function*(url: string, seen: (visit: Visit) => void) {
  const clock = yield* Clock.Clock
  const client = yield* HttpClient.HttpClient
  const began = clock.currentTimeMillisUnsafe()
  const now = () => clock.currentTimeMillisUnsafe() - began

  const visit = (kind: Visit["kind"], at: number) =>
    Effect.gen(function*() {
      yield* Effect.sleep(at)
      const startMillis = now()
      const ended = (status: number, retryAfter: string | null) =>
        Effect.sync(() => seen({ kind, startMillis, status, retryAfter, millis: now() - startMillis }))
      yield* send(client, url, kind).pipe(
        Effect.flatMap(({ headers, status }) => ended(status, headers["retry-after"] ?? null)),
        Effect.onInterrupt(() => ended(0, null)),
        Effect.catch(() => ended(0, null))
      )
    })

  const arrivals = [
    ...every(100, lastArrival).map((at) => visit("read", at)),
    ...every(150, lastArrival).map((at) => visit("order", at))
  ]
  const crowd = yield* Effect.forkChild(Effect.all(arrivals, { concurrency: "unbounded", discard: true }))
  yield* visit("victim", victim.at)
  yield* Effect.sleep(Math.max(0, lastArrival + 500 - now()))
  yield* Fiber.interrupt(crowd)
})

const every = (millis: number, until: number): ReadonlyArray<number> =>
  Array.from({ length: Math.floor(until / millis) }, (_, i) => i * millis)

const send = (client: HttpClient.HttpClient, url: string, kind: Visit["kind"]) =>
  (kind === "read" ? HttpClientRequest.get(`${url}/orders`) : HttpClientRequest.post(`${url}/orders`)).pipe(
    HttpClientRequest.bearerToken("token88"),
    kind === "victim" ? HttpClientRequest.setHeader("x-request-id", victim.id) : identity,
    kind === "read"
      ? identity
      : HttpClientRequest.bodyJsonUnsafe({ lines: kind === "victim" ? victim.lines : 1 }),
    client.execute,
    Effect.tap((response) => response.text)
  )
