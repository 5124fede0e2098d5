/** A step with a second one behind it, and a circuit that stops asking the first. */
import { Effect, Layer, Schema } from "effect"
import { Saga } from "effect-lifecycle/domain"
import { CircuitBreaker } from "effect-lifecycle/resilience"
import { MemoryStore } from "effect-lifecycle/store"
import { done, note } from "./support/order.ts"
import { ours, source } from "./support/say.ts"

class ServiceDown extends Schema.TaggedError<ServiceDown>()("ServiceDown", {}) {}

const program = Effect.gen(function*() {
  const breaker = yield* CircuitBreaker.make({
    name: "sagas",
    trip: CircuitBreaker.consecutive(2),
    breakDuration: "60 seconds"
  })
  const Reserve = Saga.make({ name: "orders.Reserve", input: Schema.Boolean, error: ServiceDown })
    .step("reserve", {
      result: Schema.String,
      breaker,
      run: () => Effect.andThen(note("primary"), new ServiceDown()),
      compensate: () => note("release primary"),
      fallback: {
        on: ["ServiceDown"],
        run: () => Effect.as(note("fallback"), "fallback_reservation"),
        compensate: (_, reservation) => note(`release ${reservation}`)
      }
    })
    .step("charge", { run: ({ input }) => input ? Effect.void : new ServiceDown() })

  yield* Effect.gen(function*() {
    source("the primary step fails, the fallback step runs, and the saga goes on")
    const outcome = yield* Saga.run(Reserve, { id: "1", input: true })
    ours(`${done.splice(0).join(", ")}: ${outcome._tag}`)

    source("only the step that completed is compensated")
    yield* Saga.run(Reserve, { id: "2", input: false })
    ours(done.splice(0).join(", "))

    source("after fail_max failures the circuit is open and the primary is not called")
    yield* Saga.run(Reserve, { id: "3", input: true })
    ours(done.splice(0).join(", "))
  }).pipe(Effect.provide(Saga.layer([Reserve]).pipe(Layer.provideMerge(MemoryStore.layer))))
})

await Effect.runPromise(program)
