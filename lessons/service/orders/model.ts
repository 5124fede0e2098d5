/** What was ordered, and what became of it: the definitions of the orders service. */
import { Effect, Schema } from "effect"
import { Aggregate, Command, DomainEvent, Query } from "effect-lifecycle/domain"
import { StateStore } from "effect-lifecycle/store"
import { UserId } from "../users/model.ts"

export const OrderId = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{1,64}$/))
export const Line = Schema.Struct({
  sku: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(64)),
  quantity: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 })),
  /** Price of one, in cents. */
  price: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000_000 }))
})
export const Lines = Schema.Array(Line).check(Schema.isMinLength(1), Schema.isMaxLength(100))
export const Status = Schema.Literals(["placed", "paying", "paid", "cancelled"])

export const Order = Schema.Struct({
  id: OrderId,
  userId: UserId,
  lines: Lines,
  /** Sum of the lines, in cents. */
  total: Schema.Int,
  status: Status,
  paymentId: Schema.optionalKey(Schema.String)
})
export type Order = typeof Order.Type

export const VersionedOrder = Schema.Struct({ version: Schema.Int, order: Order })

/** One event of an order, as `GET /orders/{id}/events` shows it. */
export const OrderEvent = Schema.Struct({
  version: Schema.Int,
  type: Schema.String,
  at: Schema.String,
  data: Schema.Unknown,
  requestId: Schema.optionalKey(Schema.String)
})

export class OrderNotFound extends Schema.TaggedError<OrderNotFound>()("OrderNotFound", { id: Schema.String }) {
  override get message(): string {
    return `There is no order "${this.id}"`
  }
}

/** The order is in a state in which this cannot be done. */
export class OrderClosed extends Schema.TaggedError<OrderClosed>()("OrderClosed", {
  id: Schema.String,
  status: Status,
  wanted: Schema.String
}) {
  override get message(): string {
    return `Order "${this.id}" is ${this.status}; it cannot be ${this.wanted}`
  }
}

/** The payments service refused, and nothing was charged. */
export class PaymentFailed extends Schema.TaggedError<PaymentFailed>()("PaymentFailed", {
  orderId: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `Order "${this.orderId}" could not be paid: ${this.reason}`
  }
}

/** The payment has not ended: it is asked for, or undone, until that is done; or it is `held`, and waits for a person. */
export class PaymentPending extends Schema.TaggedError<PaymentPending>()("PaymentPending", {
  orderId: Schema.String,
  state: Schema.Literals(["charging", "undoing", "held"])
}) {
  override get message(): string {
    switch (this.state) {
      case "charging":
        return `Order "${this.orderId}" is being paid, and payments has not answered yet. Ask again: it is charged once`
      case "undoing":
        return `The payment of order "${this.orderId}" is being undone, and what was charged is given back. Ask again when that is over`
      case "held":
        return `The payment of order "${this.orderId}" waits for somebody who looks after it. Do not pay in another way; ask again later`
    }
  }
}

/** The order was charged, and its refund was given up: whether the money was given back is for a person to find out. */
export class RefundInDoubt extends Schema.TaggedError<RefundInDoubt>()("RefundInDoubt", {
  orderId: Schema.String,
  attempt: Schema.String
}) {
  override get message(): string {
    return `Order "${this.orderId}" was charged, and nobody knows whether the money was given back. It is not charged again until somebody at the desk has resumed or settled the attempt "${this.attempt}"`
  }
}

/** Another attempt to pay the order is under way. */
export class BeingPaid extends Schema.TaggedError<BeingPaid>()("BeingPaid", {
  id: Schema.String,
  attempt: Schema.String
}) {
  override get message(): string {
    return `Order "${this.id}" is being paid by the attempt "${this.attempt}"`
  }
}

export const Place = Command.make("orders.Place", {
  description: "Places an order",
  payload: { id: OrderId, userId: UserId, lines: Lines },
  success: VersionedOrder,
  aggregateId: (payload) => payload.id
})

/** An attempt to pay is a saga, and this is its id. */
const attempt = Schema.String.check(Schema.isMinLength(1))

export const Reserve = Command.make("orders.Reserve", {
  description: "Keeps an order for one attempt to pay it",
  payload: { id: OrderId, attempt },
  success: Order,
  error: Schema.Union([OrderNotFound, OrderClosed, BeingPaid]),
  aggregateId: (payload) => payload.id
})

export const MarkPaid = Command.make("orders.MarkPaid", {
  description: "Notes the payment of an order",
  payload: { id: OrderId, attempt, paymentId: Schema.String },
  error: Schema.Union([OrderNotFound, OrderClosed]),
  aggregateId: (payload) => payload.id
})

export const Release = Command.make("orders.Release", {
  description: "Lets go of an order whose payment was undone",
  payload: { id: OrderId, attempt },
  aggregateId: (payload) => payload.id
})

export const Cancel = Command.make("orders.Cancel", {
  description: "Cancels an order that is not paid",
  payload: { id: OrderId },
  success: VersionedOrder,
  error: Schema.Union([OrderNotFound, OrderClosed]),
  aggregateId: (payload) => payload.id
})

export const Pay = Command.make("orders.Pay", {
  description: "Begins to pay an order, or joins who does, and waits for the end",
  payload: { id: OrderId },
  success: VersionedOrder,
  error: Schema.Union([OrderNotFound, OrderClosed, PaymentFailed, PaymentPending, RefundInDoubt])
})

export const ById = Query.make("orders.ById", {
  description: "One order",
  payload: { id: OrderId },
  success: VersionedOrder,
  error: OrderNotFound
})

export const Search = Query.make("orders.Search", {
  description: "Orders by user and status, a page at a time",
  payload: {
    userId: Schema.optionalKey(UserId),
    status: Schema.optionalKey(Status),
    limit: Schema.optionalKey(Schema.Int),
    cursor: Schema.optionalKey(Schema.String)
  },
  success: Schema.Struct({ orders: Schema.Array(Order), next: Schema.optionalKey(Schema.String) }),
  error: StateStore.InvalidQuery
})

export const Events = Query.stream("orders.Events", {
  description: "What happened to an order, oldest first",
  payload: { id: OrderId },
  success: OrderEvent
})

const OrderPlaced = DomainEvent.make("OrderPlaced", { schema: { userId: UserId, lines: Lines } })
const PaymentBegun = DomainEvent.make("PaymentBegun", { schema: { attempt } })
const PaymentUndone = DomainEvent.make("PaymentUndone", { schema: { attempt } })
const OrderPaid = DomainEvent.make("OrderPaid", { schema: { paymentId: Schema.String } })
const OrderCancelled = DomainEvent.make("OrderCancelled", { schema: {} })

export const OrderEvents = { OrderPlaced, PaymentBegun, PaymentUndone, OrderPaid, OrderCancelled }

/** The orders as they are, each by its id. They are searched in the list of `list.ts`. */
export const orders = StateStore.collection({ name: "orders", schema: Order })

const State = Schema.Struct({
  status: Schema.Literals(["none", ...Status.literals]),
  userId: Schema.String,
  lines: Schema.Array(Line),
  /** The one that it is kept for, or was paid by. */
  attempt: Schema.optionalKey(Schema.String),
  paymentId: Schema.optionalKey(Schema.String)
})

/** The order of a state that has one. */
export const toOrder = (state: typeof State.Type, id: string): Order => ({
  id,
  userId: state.userId,
  lines: state.lines,
  total: state.lines.reduce((sum, line) => sum + line.quantity * line.price, 0),
  status: state.status === "none" ? "placed" : state.status,
  ...(state.paymentId === undefined ? {} : { paymentId: state.paymentId })
})

export const OrderAggregate = Aggregate.make({
  name: "Order",
  state: State,
  initial: { status: "none", userId: "", lines: [] },
  commands: [Place, Reserve, MarkPaid, Release, Cancel],
  events: [OrderPlaced, PaymentBegun, PaymentUndone, OrderPaid, OrderCancelled],
  decide: {
    "orders.Place": (state, { userId, lines }) =>
      Effect.succeed(state.status === "none" ? [OrderPlaced.make({ userId, lines })] : []),
    "orders.Reserve": (state, { attempt, id }) => {
      if (state.status === "none") return Effect.fail(new OrderNotFound({ id }))
      if (state.status === "placed") return Effect.succeed([PaymentBegun.make({ attempt })])
      if (state.status === "cancelled") {
        return Effect.fail(new OrderClosed({ id, status: state.status, wanted: "paid" }))
      }
      // Paid or being paid: by this attempt, which asks again, or by another one.
      return state.attempt === attempt
        ? Effect.succeed([])
        : Effect.fail(new BeingPaid({ id, attempt: state.attempt ?? "" }))
    },
    "orders.MarkPaid": (state, { attempt, id, paymentId }) => {
      if (state.status === "none") return Effect.fail(new OrderNotFound({ id }))
      if (state.status === "paid" && state.paymentId === paymentId) return Effect.succeed([])
      return state.status === "paying" && state.attempt === attempt
        ? Effect.succeed([OrderPaid.make({ paymentId })])
        : Effect.fail(new OrderClosed({ id, status: state.status, wanted: "paid" }))
    },
    "orders.Release": (state, { attempt }) =>
      Effect.succeed(
        state.status === "paying" && state.attempt === attempt ? [PaymentUndone.make({ attempt })] : []
      ),
    "orders.Cancel": (state, { id }) => {
      if (state.status === "none") return Effect.fail(new OrderNotFound({ id }))
      if (state.status === "cancelled") return Effect.succeed([])
      return state.status === "placed"
        ? Effect.succeed([OrderCancelled.make({})])
        : Effect.fail(new OrderClosed({ id, status: state.status, wanted: "cancelled" }))
    }
  },
  evolve: {
    OrderPlaced: (_state, { userId, lines }) => ({ status: "placed" as const, userId, lines }),
    PaymentBegun: (state, { attempt }) => ({ ...state, status: "paying" as const, attempt }),
    PaymentUndone: ({ lines, userId }) => ({ status: "placed" as const, userId, lines }),
    OrderPaid: (state, { paymentId }) => ({ ...state, status: "paid" as const, paymentId }),
    OrderCancelled: (state) => ({ ...state, status: "cancelled" as const })
  },
  snapshotEvery: 50,
  projection: {
    collection: orders,
    state: (state, id) => state.status === "none" ? undefined : toOrder(state, id)
  }
})
