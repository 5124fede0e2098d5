import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Domain, Mediator } from "effect-lifecycle/domain"
import { MemoryStore } from "effect-lifecycle/store"
import { AggregateSpec, SagaSpec } from "effect-lifecycle/testing"
import { ordersHandlers } from "../../lessons/service/orders/handlers.ts"
import {
  BeingPaid,
  ById,
  Cancel,
  MarkPaid,
  OrderAggregate,
  OrderClosed,
  OrderEvents,
  PaymentFailed,
  Place,
  Release,
  Reserve
} from "../../lessons/service/orders/model.ts"
import { PayOrder } from "../../lessons/service/orders/payment.ts"
import { PaymentAggregate, PaymentEvents, PaymentNotFound, Refund } from "../../lessons/service/payments/model.ts"
import { PaymentsClient, PaymentsUnclear } from "../../lessons/service/shared/PaymentsClient.ts"

const lines = [{ sku: "book", quantity: 2, price: 1250 }]
const refused = new PaymentFailed({ orderId: "ord_1", reason: "payments answered 409" })

/** Payments, as it is asked for by the steps that are not played. */
const asked: Array<string> = []
const fake = (charge: PaymentsClient["Service"]["charge"]) =>
  Layer.succeed(PaymentsClient, {
    charge: (order, key) => Effect.andThen(Effect.sync(() => void asked.push(`charge ${key}`)), charge(order, key)),
    refund: (id, key) => Effect.sync(() => void asked.push(`refund ${id} ${key}`))
  })
const taken: PaymentsClient["Service"]["charge"] = ({ id, total, userId }) =>
  Effect.succeed({ id: "pay_1", orderId: id, userId, amount: total, status: "charged" })

const domain = (charge: PaymentsClient["Service"]["charge"] = taken) => {
  asked.length = 0
  return Domain.toLayer(ordersHandlers).pipe(Layer.provideMerge(fake(charge)), Layer.provideMerge(MemoryStore.layer))
}

const place = Mediator.send(Place, { id: "ord_1", userId: "usr_1", lines })
const status = Effect.map(Mediator.query(ById, { id: "ord_1" }), ({ order }) => order.status)
const input = { orderId: "ord_1" }
const reserved = { userId: "usr_1", total: 2500 }

describe("PayOrder", () => {
  it.effect("keeps the order, charges it and notes the payment", () =>
    Effect.gen(function*() {
      yield* place
      const saga = SagaSpec.given(PayOrder).when(input)
      yield* saga.then(["reserve", "charge", "confirm"], "Completed")
      assert.strictEqual(yield* status, "paid")
      assert.deepStrictEqual(asked, ["charge PayOrder/it/charge"])
      // The same attempt again finds everything done.
      yield* saga.thenResults({ reserve: reserved, charge: { paymentId: "pay_1" }, confirm: undefined })
    }).pipe(Effect.provide(domain())))

  it.effect("lets the order go when payments refuses, for that reason", () =>
    Effect.gen(function*() {
      yield* place
      const saga = SagaSpec.given(PayOrder).when(input)
      yield* saga.then(["reserve", "charge", "undo reserve"], "Compensated")
      assert.strictEqual(yield* status, "placed")
      yield* saga.thenFails(refused)
    }).pipe(Effect.provide(domain(() => refused))))

  it.effect("asks again under the same key while nobody knows what payments has done", () => {
    let answers = 0
    return Effect.gen(function*() {
      yield* place
      yield* SagaSpec.given(PayOrder).when(input).then(
        ["reserve", "charge", "charge", "charge", "confirm"],
        "Completed"
      )
      assert.deepStrictEqual(asked, Array(3).fill("charge PayOrder/it/charge"))
    }).pipe(
      Effect.provide(
        domain((...order) =>
          ++answers < 3 ? new PaymentsUnclear({ reason: "payments could not be reached" }) : taken(...order)
        )
      )
    )
  })

  it.effect("gives the money back when the payment cannot be noted", () =>
    Effect.gen(function*() {
      yield* place
      const closed = new OrderClosed({ id: "ord_1", status: "cancelled", wanted: "paid" })
      const saga = SagaSpec.given(PayOrder, { steps: { confirm: SagaSpec.fails(closed) } }).when(input)
      yield* saga.then(
        ["reserve", "charge", ...Array<string>(6).fill("confirm"), "undo charge", "undo reserve"],
        "Compensated"
      )
      assert.strictEqual(yield* status, "placed")
      assert.deepStrictEqual(asked, ["charge PayOrder/it/charge", "refund pay_1 PayOrder/it/charge/compensate"])
    }).pipe(Effect.provide(domain())))

  it.effect("waits for a person when the money cannot be given back, and keeps the order from being charged again", () =>
    Effect.gen(function*() {
      yield* place
      const unclear = SagaSpec.fails(new PaymentsUnclear({ reason: "payments answered 500" }))
      const closed = SagaSpec.fails(new OrderClosed({ id: "ord_1", status: "cancelled", wanted: "paid" }))
      yield* SagaSpec.given(PayOrder, { steps: { confirm: closed }, undo: { charge: unclear } }).when(input).then(
        [
          "reserve",
          "charge",
          ...Array<string>(6).fill("confirm"),
          ...Array<string>(61).fill("undo charge")
        ],
        "CompensationFailed"
      )
      assert.strictEqual(yield* status, "paying")
      const again = Mediator.send(Reserve, { id: "ord_1", attempt: "other" })
      assert.deepStrictEqual(yield* Effect.flip(again), new BeingPaid({ id: "ord_1", attempt: "it" }))
    }).pipe(Effect.provide(domain())))

  it.effect("takes no money for an order that another attempt has, or that is closed", () =>
    Effect.gen(function*() {
      yield* place
      yield* Mediator.send(Reserve, { id: "ord_1", attempt: "other" })
      const saga = SagaSpec.given(PayOrder).when(input)
      yield* saga.then(["reserve"], "Compensated")
      yield* saga.thenFails(new BeingPaid({ id: "ord_1", attempt: "other" }))
      yield* Mediator.send(Release, { id: "ord_1", attempt: "other" })
      yield* Mediator.send(Cancel, { id: "ord_1" })
      yield* saga.thenFails(new OrderClosed({ id: "ord_1", status: "cancelled", wanted: "paid" }))
      assert.deepStrictEqual(asked, [])
    }).pipe(Effect.provide(domain())))
})

const { OrderCancelled, OrderPaid, OrderPlaced, PaymentBegun, PaymentUndone } = OrderEvents
const placed = OrderPlaced.make({ userId: "usr_1", lines })
const begun = PaymentBegun.make({ attempt: "a" })
const paid = OrderPaid.make({ paymentId: "pay_1" })
const id = "ord_1"

describe("An order", () => {
  it.effect("lets one attempt to pay in at a time, and the next one when that was undone", () =>
    Effect.gen(function*() {
      const reserve = { id, attempt: "a" }
      yield* AggregateSpec.given(OrderAggregate, [placed]).when(Reserve, reserve).then([begun])
      const kept = AggregateSpec.given(OrderAggregate, [placed, begun])
      yield* kept.when(Reserve, reserve).then([])
      yield* kept.when(Reserve, { id, attempt: "b" }).then(new BeingPaid({ id, attempt: "a" }))
      yield* kept.when(Release, reserve).then([PaymentUndone.make({ attempt: "a" })])
      yield* kept.when(Release, { id, attempt: "b" }).then([])
      yield* AggregateSpec.given(OrderAggregate, [placed, begun, PaymentUndone.make({ attempt: "a" })])
        .when(Reserve, { id, attempt: "b" }).then([PaymentBegun.make({ attempt: "b" })])
    }))

  it.effect("is paid by the attempt that has it, once", () =>
    Effect.gen(function*() {
      const markPaid = { id, attempt: "a", paymentId: "pay_1" }
      const kept = AggregateSpec.given(OrderAggregate, [placed, begun])
      yield* kept.when(MarkPaid, markPaid).then([paid])
      yield* kept.when(MarkPaid, { ...markPaid, attempt: "b" }).then(
        new OrderClosed({ id, status: "paying", wanted: "paid" })
      )
      const over = AggregateSpec.given(OrderAggregate, [placed, begun, paid])
      yield* over.when(MarkPaid, markPaid).then([])
      yield* over.when(Release, { id, attempt: "a" }).then([])
      yield* AggregateSpec.given(OrderAggregate, [placed]).when(MarkPaid, markPaid).then(
        new OrderClosed({ id, status: "placed", wanted: "paid" })
      )
    }))

  it.effect("is not cancelled while it is being paid", () =>
    Effect.gen(function*() {
      yield* AggregateSpec.given(OrderAggregate, [placed, begun]).when(Cancel, { id }).then(
        new OrderClosed({ id, status: "paying", wanted: "cancelled" })
      )
      yield* AggregateSpec.given(OrderAggregate, [placed, OrderCancelled.make({})]).when(Reserve, { id, attempt: "a" })
        .then(new OrderClosed({ id, status: "cancelled", wanted: "paid" }))
    }))
})

describe("A payment", () => {
  it.effect("is given back once, and not before it was taken", () =>
    Effect.gen(function*() {
      const { PaymentCharged, PaymentRefunded } = PaymentEvents
      const charged = PaymentCharged.make({ orderId: id, userId: "usr_1", amount: 5 })
      const refund = { id: "pay_1" }
      yield* AggregateSpec.given(PaymentAggregate, [charged]).when(Refund, refund).then([PaymentRefunded.make({})])
      yield* AggregateSpec.given(PaymentAggregate, [charged, PaymentRefunded.make({})]).when(Refund, refund).then([])
      yield* AggregateSpec.given(PaymentAggregate, []).when(Refund, refund).then(new PaymentNotFound({ id: "pay_1" }))
    }))
})
