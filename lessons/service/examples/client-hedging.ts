/** Three attempts in parallel, for one call: the first answer wins, and a bad answer does not wait for the clock. */
import { Effect } from "effect"
import { FetchHttpClient, HttpClient } from "effect/http"
import { ClientStack, IdempotencyKey } from "effect-lifecycle/client"
import { Deadline } from "effect-lifecycle/request"
import { RequestStrategy } from "effect-lifecycle/resilience"
import * as FakeUpstream from "effect-lifecycle/testing/FakeUpstream"
import { ours, source } from "./support/say.ts"

const parallel = RequestStrategy.hedged({
  attempts: 3,
  delay: RequestStrategy.linear({ minimum: "100 millis", step: "100 millis", jitter: 0 })
})

const program = Effect.gen(function*() {
  const upstream = yield* FakeUpstream.make([FakeUpstream.never, FakeUpstream.json({ name: "thing" })])
  const client = (yield* HttpClient.HttpClient).pipe(ClientStack.make({ baseUrl: upstream.url }))
  const hedged = <E, R>(call: Effect.Effect<{ readonly status: number }, E, R>) =>
    call.pipe(RequestStrategy.withStrategy(parallel), Deadline.within("5 seconds"))

  source("attempts start at 0, 200 and 300 ms until one is accepted; the losers are closed after the caller's block")
  const began = performance.now()
  const answer = yield* hedged(client.get("/thing"))
  const took = performance.now() - began
  ours(
    `${answer.status} from attempt 2, ${took >= 195 && took < 1000 ? "after 200 ms" : `after ${Math.round(took)} ms`}`
  )
  const [loser] = yield* upstream.when((requests) => requests[0]?.outcome === "aborted")
  ours(`attempt 1: ${loser?.outcome}`)

  source("an attempt that is rejected at once does not bring the next one forward")
  yield* upstream.rescript([FakeUpstream.respond({ status: 503 }), FakeUpstream.json({ name: "thing" })])
  const again = performance.now()
  const quick = yield* hedged(client.get("/thing"))
  ours(`${quick.status} ${performance.now() - again < 190 ? "at once" : "late"}`)

  source("a strategy given to a call holds for every method: a POST is sent three times")
  yield* upstream.rescript(() => FakeUpstream.respond({ status: 503 }))
  const before = (yield* upstream.requests).length
  yield* hedged(client.post("/thing"))
  const plain = (yield* upstream.requests).length
  yield* hedged(client.post("/thing")).pipe(IdempotencyKey.provide("order-42"))
  const keyed = (yield* upstream.requests).length
  ours(`a POST is sent ${plain - before} time, with an idempotency key ${keyed - plain} times`)
})

await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(FetchHttpClient.layer)))
