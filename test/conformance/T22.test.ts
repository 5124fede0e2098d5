import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schedule } from "effect"
import { Domain, Mediator } from "effect-lifecycle/domain"
import { Pay, payHandler, Place, placeHandler } from "../domain/support/orders.ts"
import { allEvents, memory, overtaken } from "../domain/support/store.ts"

const handlers = [placeHandler, payHandler] as const
const orderIds = Array.from({ length: 10 }, (_, index) => `o-${index}`)

describe("T22: events are values that a decision returns", () => {
  it.effect("commands beside each other emit each event once, under their own aggregate", () =>
    Effect.gen(function*() {
      const buy = (orderId: string, index: number) =>
        Mediator.send(Place, { orderId, quantity: index + 1 }).pipe(Effect.andThen(Mediator.send(Pay, { orderId })))
      yield* Effect.forEach(orderIds, buy, { concurrency: "unbounded" })
      const events = yield* allEvents
      assert.lengthOf(events, 20)
      for (const [index, orderId] of orderIds.entries()) {
        const own = events.filter((event) => event.stream.id === orderId)
        assert.deepStrictEqual(own.map((event) => event.type), ["OrderPlaced", "OrderPaid"])
        assert.deepStrictEqual(own[0]?.data, { quantity: index + 1, note: "fresh" })
      }
    }).pipe(Effect.provide(Domain.toLayer(handlers).pipe(Layer.provideMerge(memory)))))

  it.effect("a command that is decided three times emits its event once", () =>
    Effect.gen(function*() {
      yield* Mediator.send(Place, { orderId: "o-1", quantity: 1 })
      assert.lengthOf(yield* allEvents, 1)
    }).pipe(Effect.provide(
      Domain.toLayer(handlers, { conflicts: Schedule.recurs(2) }).pipe(Layer.provideMerge(overtaken(2)))
    )))

  it.effect("a rejected command leaves nothing for the next one to emit", () =>
    Effect.gen(function*() {
      yield* Effect.flip(Mediator.send(Place, { orderId: "o-1", quantity: 101 }))
      yield* Mediator.send(Place, { orderId: "o-1", quantity: 2 })
      assert.deepStrictEqual((yield* allEvents).map((event) => event.data), [{ quantity: 2, note: "fresh" }])
    }).pipe(Effect.provide(Domain.toLayer(handlers).pipe(Layer.provideMerge(memory)))))
})
