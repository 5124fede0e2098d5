import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema, SchemaTransformation } from "effect"
import { Aggregate, Command, Domain, DomainError, DomainEvent, Mediator } from "effect-lifecycle/domain"
import { AggregateSpec } from "effect-lifecycle/testing"
import {
  Cancel,
  Cancelled,
  NoSuchOrder,
  Order,
  orders,
  OutOfStock,
  Paid,
  Pay,
  payHandler,
  Place,
  Placed,
  placeHandler
} from "../domain/support/orders.ts"
import { memory } from "../domain/support/store.ts"

const placed = Placed.make({ quantity: 2, note: "fresh" })
const paid = Paid.make({ at: new Date(0) })
const pay = { orderId: "o-1" }

const textOf = <A, R>(self: Effect.Effect<A, AggregateSpec.Unexpected, R>) =>
  Effect.map(Effect.flip(self), (error) => error.message.split("\n"))

describe("AggregateSpec", () => {
  it.effect("passes where events, no events, an error, a state and a row are as expected", () =>
    Effect.gen(function*() {
      const open = AggregateSpec.given(Order, [placed])
      yield* AggregateSpec.given(Order).when(Place, { orderId: "o-1", quantity: 2 }).then([placed])
      yield* open.when(Pay, pay).then([paid])
      yield* AggregateSpec.given(Order, [placed, paid]).when(Pay, pay).then([])
      yield* AggregateSpec.given(Order).when(Pay, pay).then(new NoSuchOrder({ orderId: "o-1" }))
      yield* AggregateSpec.given(Order).when(Pay, pay).thenFails("NoSuchOrder")
      yield* open.when(Place, { orderId: "o-1", quantity: 100 }).thenFails((error) =>
        error._tag === "OutOfStock" && error.wanted === 100
      )
      yield* open.thenState({ exists: true, quantity: 2, paid: false })
      yield* open.when(Pay, pay).thenState({ exists: true, quantity: 2, paid: true })
      yield* open.thenRow(orders, { quantity: 2, status: "open" })
      yield* open.when(Pay, pay).thenRow(orders, { quantity: 2, status: "paid" })
      yield* open.when(Cancel, pay).thenRow(orders, undefined)
    }))

  it.effect("says what was given, which event differs, and in which field", () =>
    Effect.gen(function*() {
      const spec = AggregateSpec.given(Order, [placed]).when(Place, { orderId: "o-1", quantity: 3 })
      assert.deepStrictEqual(yield* textOf(spec.then([Placed.make({ quantity: 4, note: "fresh" }), paid])), [
        "given Order",
        "  OrderPlaced {\"quantity\":2,\"note\":\"fresh\"}",
        "when orders.Place {\"orderId\":\"o-1\",\"quantity\":3}",
        "then",
        "  1. OrderPlaced .quantity: expected 4, got 3",
        "  2. missing: OrderPaid {\"at\":1970-01-01T00:00:00.000Z}"
      ])
      const more = yield* textOf(spec.then([]))
      assert.strictEqual(more.at(-1), "  1. not expected: OrderPlaced {\"quantity\":3,\"note\":\"fresh\"}")
      const other = yield* textOf(spec.then([Cancelled.make({})]))
      assert.deepStrictEqual(other.slice(-2), [
        "  1. expected OrderCancelled {}",
        "     got      OrderPlaced {\"quantity\":3,\"note\":\"fresh\"}"
      ])
    }))

  it.effect("says so where an error came instead of events, events instead of an error, or another error", () =>
    Effect.gen(function*() {
      const nothing = AggregateSpec.given(Order)
      const failed = yield* textOf(nothing.when(Pay, pay).then([paid]))
      assert.deepStrictEqual(failed, [
        "given Order without events",
        "when orders.Pay {\"orderId\":\"o-1\"}",
        "then",
        "  it failed with NoSuchOrder {\"orderId\":\"o-1\"}"
      ])
      const open = AggregateSpec.given(Order, [placed])
      assert.deepStrictEqual((yield* textOf(open.when(Pay, pay).then(new NoSuchOrder({ orderId: "o-1" })))).slice(-3), [
        "  expected NoSuchOrder {\"orderId\":\"o-1\"}",
        "  it succeeded with",
        "    OrderPaid {\"at\":1970-01-01T00:00:00.000Z}"
      ])
      assert.deepStrictEqual(
        (yield* textOf(open.when(Pay, pay).thenFails("NoSuchOrder"))).at(-3),
        "  expected a failure, NoSuchOrder"
      )
      const wrongField = nothing.when(Pay, pay).then(new NoSuchOrder({ orderId: "o-2" }))
      assert.strictEqual((yield* textOf(wrongField)).at(-1), "  NoSuchOrder .orderId: expected \"o-2\", got \"o-1\"")
      const wrongTag = open.when(Place, { orderId: "o-1", quantity: 99 }).thenFails("ConcurrencyConflict")
      assert.deepStrictEqual((yield* textOf(wrongTag)).slice(-2), [
        "  expected a failure, ConcurrencyConflict",
        "  it failed with OutOfStock {\"wanted\":99}"
      ])
      const question = open.when(Place, { orderId: "o-1", quantity: 99 }).thenFails(() => false)
      assert.include((yield* textOf(question)).at(-1), "which is not the failure asked for")
    }))

  it.effect("says how a state and a row differ", () =>
    Effect.gen(function*() {
      const open = AggregateSpec.given(Order, [placed])
      assert.strictEqual(
        (yield* textOf(open.thenState({ exists: true, quantity: 3, paid: false }))).at(-1),
        "  the state.quantity: expected 3, got 2"
      )
      assert.strictEqual(
        (yield* textOf(open.thenRow(orders, undefined))).at(-1),
        "  the row in \"orders\": expected undefined, got {\"quantity\":2,\"status\":\"open\"}"
      )
      const failed = AggregateSpec.given(Order).when(Pay, pay)
      assert.include(
        (yield* textOf(failed.thenState({ exists: false, quantity: 0, paid: false }))).at(-1),
        "it failed with"
      )
      assert.include((yield* textOf(failed.thenRow(orders, undefined))).at(-1), "it failed with")
    }))

  it.effect("finds an event that does not survive the store", () =>
    Effect.gen(function*() {
      const Measure = Command.make("rooms.Measure", { payload: { id: Schema.String }, aggregateId: ({ id }) => id })
      const LowerCase = Schema.String.pipe(Schema.decodeTo(
        Schema.String,
        SchemaTransformation.transform({ decode: (text) => text, encode: (text) => text.toLowerCase() })
      ))
      const Measured = DomainEvent.make("Measured", { schema: { unit: LowerCase } })
      const Room = Aggregate.make({
        name: "Room",
        state: Schema.Struct({}),
        initial: {},
        commands: [Measure],
        events: [Measured],
        decide: { "rooms.Measure": () => Effect.succeed([Measured.make({ unit: "CM" })]) },
        evolve: { Measured: (state) => state }
      })
      const error = yield* Effect.flip(AggregateSpec.given(Room).when(Measure, { id: "r-1" }).thenState({}))
      assert.include(
        error.message,
        "Measured {\"unit\":\"CM\"} does not survive the store: what was read back.unit: expected \"CM\", got \"cm\""
      )
    }))

  it.effect("refuses a payload that does not fit, and a bug in a decider is told with its cause", () =>
    Effect.gen(function*() {
      const spec = AggregateSpec.given(Order)
      const text = yield* textOf(spec.when(Place, { orderId: "o-1", quantity: 0 }).then([]))
      assert.include(text.join("\n"), "The payload of \"orders.Place\" does not fit its schema")
      const Break = Command.make("rooms.Break", { payload: { id: Schema.String }, aggregateId: ({ id }) => id })
      const Broken = Aggregate.make({
        name: "Broken",
        state: Schema.Struct({}),
        initial: {},
        commands: [Break],
        events: [Cancelled],
        decide: { "rooms.Break": () => Effect.die(new TypeError("x is undefined")) },
        evolve: { OrderCancelled: (state) => state }
      })
      const bug = yield* textOf(AggregateSpec.given(Broken).when(Break, { id: "r-1" }).then([]))
      assert.include(bug.join("\n"), "it did not end as expected: TypeError: x is undefined")
    }))

  it("says what is wrong when it is awaited", async () => {
    const awaited = (async () => await (AggregateSpec.given(Order).when(Pay, pay) as never as PromiseLike<unknown>))()
    const error = await awaited.then(() => undefined, (error: unknown) => error)
    assert.include(String(error), "AggregateSpec: this is no promise")
  })

  describe("whenSent", () => {
    const refusing = { beforeCommand: () => new DomainError.Refused({ name: "orders.Pay", reason: "closed" }) }
    const layer = Domain.toLayer([placeHandler, payHandler]).pipe(Layer.provideMerge(memory))

    it.effect("sends through the layer of the test, which may be any store", () =>
      Effect.gen(function*() {
        const open = AggregateSpec.given(Order, [placed])
        yield* open.whenSent(Pay, { orderId: "o-1" }).then([paid])
        yield* open.whenSent(Pay, { orderId: "o-2" }).thenReplies({ version: 2 })
        yield* open.whenSent(Pay, { orderId: "o-3" }).thenState({ exists: true, quantity: 2, paid: true })
        yield* open.whenSent(Pay, { orderId: "o-4" }, { expectedVersion: 7 }).thenFails("VersionMismatch")
        yield* open.whenSent(Place, { orderId: "o-5", quantity: 99 }).then(new OutOfStock({ wanted: 99 }))
        const wrong = yield* textOf(open.whenSent(Pay, { orderId: "o-6" }).thenReplies({ version: 3 }))
        assert.strictEqual(wrong.at(-1), "  the reply.version: expected 3, got 2")
        const again = yield* textOf(open.whenSent(Pay, { orderId: "o-1" }).then([paid]))
        assert.include(
          again.join("\n"),
          "Order \"o-1\" has 2 events in this store already. Give each test an id of its own"
        )
      }).pipe(Effect.provide(layer)))

    it.effect("runs the hooks of that layer", () =>
      AggregateSpec.given(Order, [placed]).whenSent(Pay, pay).thenFails("Refused").pipe(
        Effect.provide(Domain.toLayer([payHandler], { hooks: [refusing] }).pipe(Layer.provideMerge(memory)))
      ))

    it.effect("writes to no store of the test when it only decides", () =>
      Effect.gen(function*() {
        yield* AggregateSpec.given(Order, [placed]).when(Pay, pay).then([paid])
        assert.deepStrictEqual(yield* Mediator.send(Place, { orderId: "o-1", quantity: 1 }), {
          orderId: "o-1",
          quantity: 1,
          version: 1
        })
      }).pipe(Effect.provide(layer)))
  })
})
