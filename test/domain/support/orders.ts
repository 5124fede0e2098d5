import { Effect, Schema } from "effect"
import { Aggregate, Command, Domain, DomainEvent, Query } from "effect-lifecycle/domain"
import { StateStore } from "effect-lifecycle/store"

export class OutOfStock extends Schema.TaggedError<OutOfStock>()("OutOfStock", { wanted: Schema.Int }) {}
export class NoSuchOrder extends Schema.TaggedError<NoSuchOrder>()("NoSuchOrder", { orderId: Schema.String }) {}

export const OrderView = Schema.Struct({ quantity: Schema.Int, status: Schema.Literals(["open", "paid"]) })

export const Place = Command.make("orders.Place", {
  payload: {
    orderId: Schema.String,
    quantity: Schema.Int.check(Schema.isGreaterThan(0)),
    requestKey: Schema.optionalKey(Schema.String)
  },
  success: Schema.Struct({ orderId: Schema.String, quantity: Schema.Int, version: Schema.Int }),
  error: OutOfStock,
  aggregateId: (payload) => payload.orderId,
  commandId: (payload) => payload.requestKey
})

export const Pay = Command.make("orders.Pay", {
  payload: { orderId: Schema.String },
  success: Schema.Struct({ version: Schema.Int }),
  error: NoSuchOrder,
  aggregateId: (payload) => payload.orderId
})

export const Cancel = Command.make("orders.Cancel", {
  payload: { orderId: Schema.String },
  aggregateId: (payload) => payload.orderId
})

/** Handled by a function: places and pays. */
export const Buy = Command.make("orders.Buy", {
  payload: { orderId: Schema.String, quantity: Schema.Int },
  success: Schema.Int,
  error: Schema.Union([OutOfStock, NoSuchOrder])
})

export const ById = Query.make("orders.ById", {
  payload: { orderId: Schema.String },
  success: OrderView,
  error: NoSuchOrder
})

export const Placed = DomainEvent.make("OrderPlaced", {
  version: 2,
  schema: { quantity: Schema.Int, note: Schema.String },
  upcast: { 1: { from: Schema.Struct({ amount: Schema.Int }), to: ({ amount }) => ({ quantity: amount, note: "" }) } }
})
export const Paid = DomainEvent.make("OrderPaid", { schema: { at: Schema.Date } })
export const Cancelled = DomainEvent.make("OrderCancelled", { schema: {} })

export const stock = 100

export const orders = StateStore.collection({ name: "orders", schema: OrderView, indexes: ["status"] })

export const Order = Aggregate.make({
  name: "Order",
  state: Schema.Struct({ exists: Schema.Boolean, quantity: Schema.Int, paid: Schema.Boolean }),
  initial: { exists: false, quantity: 0, paid: false },
  commands: [Place, Pay, Cancel],
  events: [Placed, Paid, Cancelled],
  decide: {
    "orders.Place": (state, payload) =>
      state.quantity + payload.quantity > stock
        ? Effect.fail(new OutOfStock({ wanted: payload.quantity }))
        : Effect.succeed([Placed.make({ quantity: payload.quantity, note: "fresh" })]),
    "orders.Pay": (state, _payload, { id }) =>
      !state.exists
        ? Effect.fail(new NoSuchOrder({ orderId: id }))
        : Effect.succeed(state.paid ? [] : [Paid.make({ at: new Date(0) })]),
    "orders.Cancel": () => Effect.succeed([Cancelled.make({})])
  },
  evolve: {
    OrderPlaced: (state, event) => ({ ...state, exists: true, quantity: state.quantity + event.quantity }),
    OrderPaid: (state) => ({ ...state, paid: true }),
    OrderCancelled: () => ({ exists: false, quantity: 0, paid: false })
  },
  projection: {
    collection: orders,
    state: (state) => state.exists ? { quantity: state.quantity, status: state.paid ? "paid" : "open" } : undefined
  }
})

export const placeHandler = Domain.aggregateHandler(Place, Order, {
  reply: (state, _events, version, orderId) => ({ orderId, quantity: state.quantity, version })
})
export const payHandler = Domain.aggregateHandler(Pay, Order, { reply: (_state, _events, version) => ({ version }) })
export const cancelHandler = Domain.aggregateHandler(Cancel, Order, { reply: () => undefined })
export const byIdHandler = Domain.handler(ById, ({ orderId }) =>
  Effect.gen(function*() {
    const store = yield* StateStore.StateStore
    const row = yield* store.get(orders, orderId)
    return row._tag === "Some" ? row.value.state : yield* new NoSuchOrder({ orderId })
  }))
