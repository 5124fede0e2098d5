import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Schema, Stream } from "effect"
import { Aggregate, Domain, Mediator } from "effect-lifecycle/domain"
import { EventStore, StateStore } from "effect-lifecycle/store"
import { Cancel, cancelHandler, Order, orders, Pay, payHandler, Place, placeHandler } from "../domain/support/orders.ts"
import { memory } from "../domain/support/store.ts"

const handlers = [placeHandler, payHandler, cancelHandler] as const
const live = Domain.toLayer(handlers).pipe(Layer.provideMerge(memory))
const stream = { category: "Order", id: "o-1" }
const Step = Schema.Literals(["place", "pay", "cancel"])

const send = (step: typeof Step.Type): Effect.Effect<unknown, unknown, Layer.Success<typeof live>> =>
  step === "place"
    ? Mediator.send(Place, { orderId: "o-1", quantity: 1 })
    : step === "pay"
    ? Mediator.send(Pay, { orderId: "o-1" })
    : Mediator.send(Cancel, { orderId: "o-1" })

describe("T31: replay rebuilds the same state", () => {
  it.effect.prop(
    "for any history of commands, in one pass, in two, and as the projected row",
    {
      steps: Schema.Array(Step).check(Schema.isMaxLength(12)),
      cut: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 12 }))
    },
    ({ cut, steps }) =>
      Effect.gen(function*() {
        yield* Effect.forEach(steps, (step) => Effect.exit(send(step)), { discard: true })
        const events = yield* EventStore.EventStore
        const stored = yield* Stream.runCollect(events.read(stream))
        assert.deepStrictEqual(stored.map((event) => event.version), stored.map((_, index) => index + 1))

        const { state, version } = yield* Aggregate.load(Order, "o-1")
        assert.strictEqual(version, stored.length)
        const values = yield* Effect.forEach(stored, (event) => Effect.fromResult(Order.decode(event)))
        assert.deepStrictEqual(Aggregate.fold(Order, values), state)
        const half = Aggregate.fold(Order, values.slice(0, cut))
        assert.deepStrictEqual(Aggregate.fold(Order, values.slice(cut), half), state)

        const row = yield* StateStore.StateStore.use((store) => store.get(orders, "o-1"))
        assert.deepStrictEqual(
          Option.getOrUndefined(row),
          state.exists
            ? { id: "o-1", version, state: { quantity: state.quantity, status: state.paid ? "paid" : "open" } }
            : undefined
        )
      }).pipe(Effect.provide(Layer.fresh(live))),
    { arbitrary: { runs: 50 } }
  )

  it.effect("from events of older versions as from the current ones", () =>
    Effect.gen(function*() {
      const events = yield* EventStore.EventStore
      const place = (id: string, event: EventStore.NewEvent) =>
        events.append({ stream: { category: "Order", id }, expect: 0, events: [event] })
      yield* place("old", { type: "OrderPlaced", schemaVersion: 1, data: { amount: 5 } })
      yield* place("new", { type: "OrderPlaced", schemaVersion: 2, data: { quantity: 5, note: "" } })
      assert.deepStrictEqual(yield* Aggregate.load(Order, "old"), yield* Aggregate.load(Order, "new"))
    }).pipe(Effect.provide(memory)))
})
