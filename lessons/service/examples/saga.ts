/** An order in three steps: all of them, or none of them. */
import { Cause, Effect, Layer } from "effect"
import { Saga } from "effect-lifecycle/domain"
import { MemoryStore } from "effect-lifecycle/store"
import { done, orderSaga } from "./support/order.ts"
import { ours, source } from "./support/say.ts"

const Order = orderSaga()
const layer = Saga.layer([Order]).pipe(Layer.provideMerge(MemoryStore.layer))
const order = { items: ["item_1", "item_2"], amount: 99.99, address: "123 Main St" }

const program = Effect.gen(function*() {
  source("three steps, then the saga is completed")
  const good = yield* Saga.run(Order, { id: "order_123", input: order })
  ours(done.splice(0).join("; "))
  if (good._tag === "Completed") ours(`${good._tag}: ${good.results.ship.tracking}`)

  source("a step that fails: the completed steps are compensated in reverse order")
  const bad = yield* Saga.run(Order, { id: "order_456", input: { ...order, address: "" } })
  ours(done.splice(0).join("; "))
  if (bad._tag === "Compensated") ours(`${bad._tag} after ${bad.step}: ${Cause.squash(bad.cause)}`)

  source("a finished saga is not run again")
  const again = yield* Saga.run(Order, { id: "order_123", input: order })
  ours(`${again._tag}, ${done.length} calls`)
})

await Effect.runPromise(Effect.provide(program, layer))
