/** The breaker of the README: break 1 s, sampling 1 s, at least 2 requests, 50 % of them failed. */
import { Effect } from "effect"
import { FetchHttpClient, HttpClient } from "effect/http"
import { ClientStack } from "effect-lifecycle/client"
import { CircuitBreaker, RequestStrategy } from "effect-lifecycle/resilience"
import * as FakeUpstream from "effect-lifecycle/testing/FakeUpstream"
import { ours, source } from "./support/say.ts"

const program = Effect.gen(function*() {
  const upstream = yield* FakeUpstream.make(() => FakeUpstream.respond({ status: 503 }))
  const breaker = yield* CircuitBreaker.make({
    name: "things",
    trip: CircuitBreaker.failureRate({ failureThreshold: 0.5, minimumThroughput: 2, samplingDuration: "1 second" }),
    breakDuration: "1 second"
  })
  const client = (yield* HttpClient.HttpClient).pipe(
    ClientStack.make({ baseUrl: upstream.url, breaker, strategy: RequestStrategy.single })
  )
  const state = Effect.map(breaker.snapshot(upstream.url), (snapshot) => snapshot.state)
  const get = client.get("/thing").pipe(
    Effect.map((response) => String(response.status)),
    Effect.catchTag("CircuitOpen", (open) => Effect.succeed(`CircuitOpen, not before ${open.retryAfterMillis > 0}`))
  )

  source("opens when at least 2 requests were made in a second and at least half of them failed")
  ours(`${yield* get}: ${yield* state}`)
  ours(`${yield* get}: ${yield* state}`)

  source("while it is open the answer is a made-up 502 with X-Do-Not-Retry and X-Circuit-Breaker")
  const refused = yield* Effect.flip(client.get("/thing"))
  ours(`${refused._tag}, and ${(yield* upstream.requests).length} requests were sent in all`)

  source("after a second one request is tried")
  yield* upstream.rescript(() => FakeUpstream.respond())
  yield* Effect.sleep("1 second")
  ours(`${yield* get}: ${yield* state}`)
})

await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(FetchHttpClient.layer)))
