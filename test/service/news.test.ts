import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Mediator } from "effect-lifecycle/domain"
import { MemoryStore, Outbox } from "effect-lifecycle/store"
import { OrdersDomain } from "../../lessons/service/orders/handlers.ts"
import { Cancel, Place } from "../../lessons/service/orders/model.ts"
import { PaymentsClient } from "../../lessons/service/shared/PaymentsClient.ts"
import { NotTaken, UsersInbox } from "../../lessons/service/shared/UsersInbox.ts"
import { ActivityOf, TakeNews } from "../../lessons/service/users/activity.ts"
import { UsersDomain } from "../../lessons/service/users/handlers.ts"
import { Register } from "../../lessons/service/users/model.ts"
import { eventually, NotYet } from "./harness.ts"

const line = { sku: "book", quantity: 1, price: 5 }

describe("the news of an order", () => {
  it.live("are sent again under the same id, in their order, until users has taken them", () => {
    const sent: Array<string> = []
    const inbox = Layer.succeed(UsersInbox, {
      deliver: (message) =>
        Effect.suspend(() =>
          sent.push(message.id) < 2 ? Effect.fail(new NotTaken({ reason: "users answered 503" })) : Effect.void
        )
    })
    const payments = Layer.succeed(PaymentsClient, {
      charge: () => Effect.die("nobody pays here"),
      refund: () => Effect.die("nobody pays here")
    })
    const domain = OrdersDomain.pipe(Layer.provide([inbox, payments]), Layer.provideMerge(MemoryStore.layer))
    return Effect.gen(function*() {
      yield* Mediator.send(Place, { id: "ord_1", userId: "usr_1", lines: [line] })
      yield* Mediator.send(Cancel, { id: "ord_1" })
      const outbox = yield* Outbox.Outbox
      const done = Effect.filterOrFail(
        outbox.status(),
        ({ pending }) => pending === 0,
        () => new NotYet({ message: "something is still to be sent" })
      )
      yield* eventually(done)
      assert.deepStrictEqual(sent, ["ord_1.placed", "ord_1.placed", "ord_1.cancelled"])
    }).pipe(Effect.provide(domain))
  })

  it.effect("count once at users, however often and at once a message comes", () =>
    Effect.gen(function*() {
      yield* Mediator.send(Register, { id: "usr_1", name: "Alice", email: "alice@example.com" })
      const take = (orderId: string) =>
        Mediator.send(TakeNews, {
          messageId: `${orderId}.placed`,
          news: { orderId, userId: "usr_1", what: "placed" as const }
        })
      yield* Effect.forEach(["a", "b", "a", "b", "a"], take, { concurrency: "unbounded" })
      yield* take("a")
      assert.deepStrictEqual(yield* Mediator.query(ActivityOf, { id: "usr_1" }), { placed: 2, cancelled: 0 })
    }).pipe(Effect.provide(UsersDomain.pipe(Layer.provideMerge(MemoryStore.layer)))))
})
