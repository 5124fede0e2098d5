/** How many orders a user has: counted from what the orders service tells, beside the user and never in its version. */
import { Effect, Schema } from "effect"
import { Aggregate, Command, DomainEvent, Query } from "effect-lifecycle/domain"
import { StateStore } from "effect-lifecycle/store"
import { OrderNews } from "../shared/OrderNews.ts"
import { UserId, UserNotFound } from "./model.ts"

export const Activity = Schema.Struct({ placed: Schema.Int, cancelled: Schema.Int })
export const noActivity: typeof Activity.Type = { placed: 0, cancelled: 0 }

export const TakeNews = Command.make("users.TakeNews", {
  description: "Takes a message of the orders service, once",
  payload: { messageId: Schema.String, news: OrderNews },
  success: Schema.Void
})

export const CountOrder = Command.make("users.CountOrder", {
  description: "Counts an order of a user",
  payload: OrderNews.fields,
  success: Schema.Void,
  aggregateId: ({ userId }) => userId
})

export const ActivityOf = Query.make("users.ActivityOf", {
  description: "The number of orders of a user",
  payload: { id: UserId },
  success: Activity,
  error: UserNotFound
})

const OrderCounted = DomainEvent.make("OrderCounted", {
  schema: { orderId: OrderNews.fields.orderId, what: OrderNews.fields.what }
})

export const activity = StateStore.collection({ name: "activity", schema: Activity })

export const ActivityAggregate = Aggregate.make({
  name: "Activity",
  state: Activity,
  initial: noActivity,
  commands: [CountOrder],
  events: [OrderCounted],
  decide: {
    "users.CountOrder": (_state, { orderId, what }) => Effect.succeed([OrderCounted.make({ orderId, what })])
  },
  evolve: {
    OrderCounted: (state, { what }) => ({ ...state, [what]: state[what] + 1 })
  },
  projection: { collection: activity, state: (state) => state }
})
