/** One request with a deadline: what the other side is told, and what a call inside a request may take. */
import { Effect } from "effect"
import { FetchHttpClient, HttpClient } from "effect/http"
import { ClientStack } from "effect-lifecycle/client"
import { Deadline, Propagation } from "effect-lifecycle/request"
import * as FakeUpstream from "effect-lifecycle/testing/FakeUpstream"
import { ours, source } from "./support/say.ts"

const program = Effect.gen(function*() {
  const upstream = yield* FakeUpstream.make(() => FakeUpstream.json({ name: "thing" }))
  const client = (yield* HttpClient.HttpClient).pipe(
    ClientStack.make({ baseUrl: upstream.url, serviceName: "orders" })
  )
  const told = Effect.map(upstream.requests, (requests) => {
    const { headers } = requests.at(-1)!
    return `at most ${Math.ceil(Number(headers["x-request-timeout"]))} s, attempt ${headers["x-request-attempt"]?.[0]}`
  })

  source("client.request(get(\"thing\"), deadline=Deadline.from_timeout(5)) sends X-Request-Timeout: 4.99...")
  const response = yield* client.get("/thing").pipe(Deadline.within("5 seconds"))
  ours(`${response.status} ${yield* response.text}; the service was told: ${yield* told}`)

  source("without a deadline it is 20 s")
  yield* client.get("/thing")
  ours(`the service was told: ${yield* told}`)

  source("an explicit 5 s inside a request with 2 s left sends 5: explicit wins")
  const request = yield* Propagation.extract({ "x-request-timeout": "2" })
  yield* client.get("/thing").pipe(Deadline.within("5 seconds"), Propagation.run(request))
  ours(`the service was told: ${yield* told}`)

  source("X-Service-Name is not sent by the client")
  ours(`X-Service-Name: ${(yield* upstream.requests).at(-1)!.headers["x-service-name"]}`)
})

await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(FetchHttpClient.layer)))
