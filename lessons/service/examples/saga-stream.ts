/** What a page shows of an order while its steps end, and what becomes of it when the page is closed. */
import { Effect, Layer, Stream } from "effect"
import { Saga } from "effect-lifecycle/domain"
import { MemoryStore } from "effect-lifecycle/store"
import { done, orderSaga } from "./support/order.ts"
import { ours, source } from "./support/say.ts"

const Order = orderSaga((step) => step === "charge" ? Effect.sleep("50 millis") : Effect.void)
const layer = Saga.layer([Order]).pipe(Layer.provideMerge(MemoryStore.layer))
const input = { items: ["item_1"], amount: 20, address: "123 Main St" }

const program = Effect.gen(function*() {
  source("one message for each step, then saga_completed")
  yield* Stream.runForEach(
    Saga.stream(Order, { id: "order_1", input }),
    (progress) =>
      Effect.sync(() =>
        ours(
          progress._tag === "Ended"
            ? progress.outcome._tag
            : progress._tag === "StepDone"
            ? `${progress.step} ${JSON.stringify(progress.result)}`
            : `${progress._tag} ${progress.step}`
        )
      )
  )
  done.splice(0)

  source("a consumer that leaves the loop leaves the saga RUNNING")
  for (const onLeave of ["detach", "compensate"] as const) {
    yield* Stream.runDrain(Stream.take(Saga.stream(Order, { id: onLeave, input, onLeave }), 1))
    const outcome = yield* Saga.wait(Order, onLeave)
    ours(`${onLeave}: ${done.splice(0).join("; ")}: ${outcome._tag}`)
  }
})

await Effect.runPromise(Effect.provide(program, layer))
