/**
 * The list of orders by user and status: kept behind the events, so that no command waits for it.
 *
 * One order is read from the row that its aggregate writes in the same transaction; the list may be a moment behind that.
 */
import { Duration, Effect, Layer, Option, Stream } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { EventStore, Projection } from "effect-lifecycle/store"
import { Order, OrderAggregate, toOrder } from "./model.ts"

export const OrderList = Projection.make({
  name: "orders.list",
  version: 1,
  schema: Order,
  indexes: ["userId", "status"],
  categories: [OrderAggregate.name],
  handle: (event, rows) =>
    Effect.flatMap(Effect.fromResult(OrderAggregate.decode(event)), (happened) =>
      rows.modify(
        event.stream.id,
        (order) => toOrder(OrderAggregate.evolve(order ?? OrderAggregate.initial, happened), event.stream.id)
      ))
})

/** Keeps the list, and is ready once there is one to read. */
export const OrderListLayer = Layer.effectDiscard(
  Projection.Projections.use((projections) => projections.awaitLive(OrderList))
).pipe(Layer.provide(Projection.layer(OrderList)))

/**
 * Waits until the list shows a version of an order, so that whoever was answered finds in it what was done. The order is
 * stored already, so a list that stays behind is no failure of its command: the answer goes out a little later, without it.
 */
export const untilListed = Effect.fn("orders.untilListed")(function*(id: string, version: number) {
  const store = yield* EventStore.EventStore
  const projections = yield* Projection.Projections
  const left = yield* Deadline.remaining
  const shown = store.read({ category: OrderAggregate.name, id }, { from: version, limit: 1 }).pipe(
    Stream.runForEach((event) => projections.awaitPosition(OrderList, event.position)),
    // Half of what is left for the answer itself.
    Effect.timeout(Option.match(left, {
      onNone: () => patience,
      onSome: (left) => Duration.min(patience, Duration.times(left, 0.5))
    }))
  )
  yield* Effect.catch(
    shown,
    (error) => Effect.logWarning("the list of orders is behind").pipe(Effect.annotateLogs({ error_type: error._tag }))
  )
})

const patience = Duration.seconds(1)
