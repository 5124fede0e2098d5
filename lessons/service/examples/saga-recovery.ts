/** A process stops in the middle of an order; the next one goes on where it stood. */
import { Deferred, Effect, Fiber } from "effect"
import { Saga } from "effect-lifecycle/domain"
import { MemoryStore } from "effect-lifecycle/store"
import { done, orderSaga } from "./support/order.ts"
import { ours, source } from "./support/say.ts"

const order = { items: ["item_1"], amount: 20, address: "123 Main St" }

const program = Effect.gen(function*() {
  source("interrupted after the first step: recovery skips it and runs the others")
  const stuck = yield* Deferred.make<void>()
  const Interrupted = orderSaga((step) =>
    step === "charge" ? Effect.andThen(Deferred.succeed(stuck, undefined), Effect.never) : Effect.void
  )
  const first = yield* Effect.forkChild(Saga.runner([Interrupted], { drain: 0 }))
  yield* Saga.start(Interrupted, { id: "order_1", input: order })
  yield* Deferred.await(stuck)
  yield* Fiber.interrupt(first)
  ours(done.splice(0).join("; "))
  const { state, steps } = yield* Saga.status(Interrupted, "order_1")
  ours(`${state}: ${steps.map((one) => `${one.step} ${one.state}`).join(", ")}`)

  const Order = orderSaga()
  yield* Effect.forkChild(Saga.runner([Order]))
  const outcome = yield* Saga.wait(Order, "order_1")
  ours(`${done.splice(0).join("; ")}: ${outcome._tag}`)

  source("several recoverers at once")
  yield* Effect.forkChild(Saga.runner([Order]))
  yield* Effect.forkChild(Saga.runner([Order]))
  yield* Saga.run(Order, { id: "order_2", input: order })
  ours(`three workers, ${done.splice(0).length} calls`)
})

await Effect.runPromise(Effect.provide(Effect.scoped(program), MemoryStore.layer))
