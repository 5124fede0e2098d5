/** What the orders service does with each command and query. */
import { Effect, Layer, Option, Stream } from "effect"
import { Domain } from "effect-lifecycle/domain"
import { EventStore, Projection, StateStore } from "effect-lifecycle/store"
import { OrderList, OrderListLayer } from "./list.ts"
import { keepNews, NewsLayer } from "./news.ts"
import {
  ById,
  Cancel,
  Events,
  MarkPaid,
  OrderAggregate,
  OrderNotFound,
  orders,
  Pay,
  Place,
  Release,
  Reserve,
  Search,
  toOrder
} from "./model.ts"
import { pay, PaymentLayer } from "./payment.ts"

export const ordersHandlers = [
  Domain.aggregateHandler(Place, OrderAggregate, {
    reply: (state, _events, version, id) => ({ version, order: toOrder(state, id) })
  }),
  Domain.aggregateHandler(Reserve, OrderAggregate, { reply: (state, _events, _version, id) => toOrder(state, id) }),
  Domain.aggregateHandler(MarkPaid, OrderAggregate, { reply: () => undefined }),
  Domain.aggregateHandler(Release, OrderAggregate, { reply: () => undefined }),
  Domain.aggregateHandler(Cancel, OrderAggregate, {
    reply: (state, _events, version, id) => ({ version, order: toOrder(state, id) })
  }),
  Domain.handler(Pay, ({ id }) => pay(id)),
  Domain.handler(ById, ({ id }) =>
    Effect.gen(function*() {
      const row = yield* StateStore.StateStore.use((store) => store.get(orders, id))
      if (Option.isNone(row)) return yield* new OrderNotFound({ id })
      return { version: row.value.version, order: row.value.state }
    })),
  Domain.handler(Search, ({ cursor, limit, status, userId }) =>
    Effect.gen(function*() {
      const page = yield* Projection.Projections.use((projections) =>
        projections.query(OrderList, {
          where: { ...(userId === undefined ? {} : { userId }), ...(status === undefined ? {} : { status }) },
          limit,
          cursor
        })
      ).pipe(Effect.catchTag("ProjectionNotLive", Effect.die)) // the layer below is ready when there is one
      return {
        orders: page.rows.map((row) => row.state),
        ...(page.next === undefined ? {} : { next: page.next })
      }
    })),
  Domain.streamHandler(
    Events,
    ({ id }) =>
      Stream.unwrap(Effect.map(EventStore.EventStore, (store) =>
        store.read({ category: OrderAggregate.name, id }).pipe(
          Stream.map((event) => ({
            version: event.version,
            type: event.type,
            at: event.at.toISOString(),
            data: event.data,
            ...(event.meta["requestId"] === undefined ? {} : { requestId: event.meta["requestId"] })
          }))
        )))
  )
] as const

export const OrdersDomain = PaymentLayer.pipe(
  Layer.provideMerge(Domain.toLayer(ordersHandlers, { hooks: [keepNews] })),
  Layer.provide([OrderListLayer, NewsLayer])
)
