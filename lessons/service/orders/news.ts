/** Users is told of every order that is placed or cancelled: by a message that is stored with the event, and sent after it. */
import { Effect, Option } from "effect"
import type { Hooks } from "effect-lifecycle/domain"
import { Outbox, StateStore } from "effect-lifecycle/store"
import type { OrderNews } from "../shared/OrderNews.ts"
import { UsersInbox } from "../shared/UsersInbox.ts"
import { type OrderAggregate, orders } from "./model.ts"

const topic = "orders"

/** Runs in the transaction of the command, so there is a message exactly when there is the event. */
export const keepNews: Hooks.Hooks<Outbox.Outbox | StateStore.StateStore> = {
  beforeStore: (command, events) =>
    Effect.gen(function*() {
      if (command.aggregate === undefined) return
      const orderId = command.aggregate.id
      // Orders are the only aggregates here.
      for (const event of events as ReadonlyArray<Parameters<typeof OrderAggregate.evolve>[1]>) {
        if (event._tag === "OrderPlaced") yield* tell({ orderId, userId: event.userId, what: "placed" })
        if (event._tag === "OrderCancelled") {
          const row = yield* StateStore.StateStore.use((store) => store.get(orders, orderId))
          if (Option.isSome(row)) yield* tell({ orderId, userId: row.value.state.userId, what: "cancelled" })
        }
      }
    })
}

/** The news of one user stay in their order. */
const tell = (news: OrderNews) =>
  Outbox.Outbox.use((outbox) =>
    outbox.enqueue({ id: `${news.orderId}.${news.what}`, topic, key: news.userId, payload: news })
  ).pipe(Effect.catchTag("InvalidMessage", Effect.die))

/** Sends what was kept, again and again until users has taken it. */
export const NewsLayer = Outbox.layer({
  topics: [topic],
  publish: (message) => UsersInbox.use((inbox) => inbox.deliver(message))
})
