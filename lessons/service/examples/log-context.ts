/** Every line of every service carries the request id and the service, and nobody passes them along. */
import { Effect } from "effect"
import { Propagation } from "effect-lifecycle/request"
import { Logs } from "effect-lifecycle/observability"
import { ours, source } from "./support/say.ts"

const lines: Array<string> = []

/** A service whose handler only logs; the id comes from the headers. */
const service = <A>(name: string, handler: Effect.Effect<A>) => (headers: Readonly<Record<string, string>>) =>
  Propagation.extract(headers, { trusted: true }).pipe(
    Effect.flatMap((extracted) => Propagation.run(handler, extracted)),
    Effect.provide(Logs.layer({ service: name, sink: (line) => lines.push(line) }))
  )

const payment = service("payment-service", Effect.log("card charged"))
const order = service(
  "order-service",
  Effect.gen(function*() {
    yield* Effect.log("order placed")
    yield* payment(yield* Propagation.inject())
    // A fiber of its own is still the same request.
    yield* Effect.log("receipt sent").pipe(Effect.forkChild, Effect.andThen(Effect.yieldNow))
  })
)

source("every log line in every service includes { \"request_id\": \"f4a2b3c1-...\", \"service\": \"order-service\" }")
await Effect.runPromise(order({ "x-request-id": "f4a2b3c1" }))
for (const line of lines) {
  const { time: _, ...fields } = JSON.parse(line) as Record<string, unknown>
  ours(JSON.stringify(fields))
}
