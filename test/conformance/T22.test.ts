import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schedule, Schema } from "effect"
import { ChainOfResponsibility, Command, Domain, Mediator } from "effect-lifecycle/domain"
import { Greeted, Join, joined, joinHandler, logging, UserJoined } from "../domain/support/meetings.ts"
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

  it.effect("event handlers that run beside each other answer each with its own follow-ups, once", () => {
    const { log, note } = logging()
    const layer = Domain.toLayer([
      Domain.eventHandler(UserJoined, {
        name: "greeter",
        handle: ({ userId }) => Effect.as(Effect.yieldNow, [Greeted.make({ userId })])
      }),
      Domain.eventHandler(Greeted, { name: "log", handle: ({ userId }) => note(userId) })
    ])
    return Effect.gen(function*() {
      yield* Effect.forEach(orderIds, (userId) => Mediator.publish([joined(userId)]), { concurrency: "unbounded" })
      assert.deepStrictEqual(log.toSorted(), orderIds)
    }).pipe(Effect.provide(layer))
  })

  it.effect("what a handler had decided before it failed is answered by nobody", () => {
    const { log, note } = logging()
    let fails = 1
    const layer = Domain.toLayer([
      Domain.eventHandler(UserJoined, {
        name: "greeter",
        retry: Schedule.recurs(1),
        handle: ({ userId }) =>
          Effect.suspend(() => {
            const events = [Greeted.make({ userId })]
            return fails-- > 0 ? Effect.fail("no") : Effect.succeed(events)
          })
      }),
      Domain.eventHandler(Greeted, { name: "log", handle: ({ userId }) => note(userId) })
    ])
    return Effect.gen(function*() {
      yield* Mediator.publish([joined("ada")])
      assert.deepStrictEqual(log, ["ada"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("the events of whichever link of a chain handles are told, in any position", () => {
    const { log, note } = logging()
    const Enter = Command.make("meetings.Enter", { payload: { by: Schema.String }, success: Schema.Int })
    const link = (name: string) =>
      ChainOfResponsibility.link(Enter, {
        name,
        handle: ({ by }) =>
          by === name
            ? Effect.map(Mediator.send(Join, { meetingId: "m-1", userId: by }), ({ users }) => users)
              .pipe(Effect.orDie)
            : ChainOfResponsibility.pass
      })
    const layer = Domain.toLayer([
      joinHandler,
      ChainOfResponsibility.make(Enter, [link("door"), link("window"), link("chimney")], {
        otherwise: () => Effect.succeed(0)
      }),
      Domain.eventHandler(UserJoined, { name: "log", handle: ({ userId }) => note(userId) })
    ]).pipe(Layer.provide(memory))
    return Effect.gen(function*() {
      for (const by of ["chimney", "door", "window", "wall"]) yield* Mediator.send(Enter, { by })
      assert.deepStrictEqual(log, ["chimney", "door", "window"])
    }).pipe(Effect.provide(layer))
  })
})
