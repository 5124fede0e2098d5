/** What is stored of an order, and what its state is made of. */
import { Effect, Result, Schema } from "effect"
import { Aggregate } from "effect-lifecycle/domain"
import { OrderAggregate, OrderEvent, toOrder } from "../orders/model.ts"
import { ask, json, place, register, type Services } from "./services.ts"
import type { Scenario } from "./story.ts"

const decodeLines = Schema.decodeUnknownEffect(Schema.Array(Schema.fromJsonString(OrderEvent)))

/** An event of the wire as the aggregate reads it from the store. */
const ofWire = (id: string, event: typeof OrderEvent.Type) =>
  Effect.fromResult(
    Result.map(
      OrderAggregate.decode({
        position: BigInt(event.version),
        stream: { tenant: "", category: OrderAggregate.name, id },
        version: event.version,
        id: `${id}/${event.version}`,
        type: event.type,
        schemaVersion: 1,
        data: event.data,
        meta: {},
        at: new Date(event.at)
      }),
      (value) => ({ ...event, value })
    )
  )

export const orderEvents = {
  title: "GET /orders/{id}/events, and the state folded from them",
  tell: (page) =>
    Effect.gen(function*() {
      const user = yield* register
      const { id } = yield* place(user.id, "tour-events")
      const payment = yield* ask("orders", `/orders/${id}/payment`, { method: "POST" })
      const streamed = yield* ask("orders", `/orders/${id}/events`)
      const current = yield* ask("orders", `/orders/${id}`)

      const wire = yield* decodeLines(streamed.body.trimEnd().split("\n"))
      const events = yield* Effect.forEach(wire, (event) => ofWire(id, event))
      let state = OrderAggregate.initial
      page.say(`   ${"start".padEnd(16)} ${JSON.stringify({ status: state.status })}`)
      for (const { type, value, version } of events) {
        state = OrderAggregate.evolve(state, value)
        const { paymentId, status } = state
        const total = toOrder(state, id).total
        page.say(`   ${`${version} ${type}`.padEnd(16)} ${JSON.stringify({ status, total, paymentId })}`)
      }
      page.say("   GET /orders/{id} answers the same state, read from the projection")

      page.equal("the status of the payment", payment.status, 200)
      page.equal("the status of the events", streamed.status, 200)
      page.equal("their Content-Type", streamed.headers["content-type"], "application/x-ndjson")
      page.equal("the events", wire.map(({ type, version }) => [version, type]), [
        [1, "OrderPlaced"],
        [2, "PaymentBegun"],
        [3, "OrderPaid"]
      ])
      page.equal("the request that paid", wire[2]?.requestId, payment.headers["x-request-id"])
      const folded = Aggregate.fold(OrderAggregate, events.map(({ value }) => value))
      page.equal("the status of the order", current.status, 200)
      page.equal("GET /orders/{id}, against the state folded from the events", json(current), toOrder(folded, id))
      page.equal("its ETag", current.headers["etag"], `"${wire.length}"`)
    })
} satisfies Scenario<unknown, Services>
