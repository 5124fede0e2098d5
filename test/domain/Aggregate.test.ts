import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Schema, Stream } from "effect"
import { Aggregate, Command, DomainEvent } from "effect-lifecycle/domain"
import { EventStore } from "effect-lifecycle/store"
import { Cancelled, Order, Paid, Pay, Place, Placed } from "./support/orders.ts"
import { memory } from "./support/store.ts"

const stream = { category: "Order", id: "o-1" }

const append = (events: ReadonlyArray<EventStore.NewEvent>) =>
  EventStore.EventStore.use((store) => store.append({ stream, expect: "any", events }))

describe("Aggregate", () => {
  it("folds events to a state, from the initial one or from another", () => {
    const placed = Placed.make({ quantity: 2, note: "" })
    const open = Aggregate.fold(Order, [placed, placed])
    assert.deepStrictEqual(open, { exists: true, quantity: 4, paid: false })
    assert.deepStrictEqual(Aggregate.fold(Order, [Paid.make({ at: new Date(0) })], open), { ...open, paid: true })
    assert.deepStrictEqual(Aggregate.fold(Order, []), Order.initial)
    assert.deepStrictEqual(Aggregate.fold(Order, [placed, Cancelled.make({})]), Order.initial)
  })

  it.effect("decides without storing", () =>
    Effect.gen(function*() {
      const events = yield* Aggregate.decide(Order, Place, Order.initial, yield* payload(3))
      assert.deepStrictEqual(events, [Placed.make({ quantity: 3, note: "fresh" })])
      const error = yield* Effect.flip(Aggregate.decide(Order, Pay, Order.initial, { orderId: "o-9" }))
      assert.strictEqual(error._tag, "NoSuchOrder")
    }))

  it.effect("loads the state and the version, upcasting old events", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Aggregate.load(Order, "o-1"), { state: Order.initial, version: 0 })
      yield* append([
        { type: "OrderPlaced", schemaVersion: 1, data: { amount: 7 } },
        { type: "OrderPlaced", schemaVersion: 2, data: { quantity: 1, note: "" } },
        { type: "OrderPaid", data: { at: "1970-01-01T00:00:00.000Z" } }
      ])
      assert.deepStrictEqual(yield* Aggregate.load(Order, "o-1"), {
        state: { exists: true, quantity: 8, paid: true },
        version: 3
      })
      assert.deepStrictEqual((yield* Aggregate.load(Order, "o-1", { upTo: 1 })).state.quantity, 7)
    }).pipe(Effect.provide(memory)))

  it.effect("fails with the name of an event it does not know", () =>
    Effect.gen(function*() {
      yield* append([{ type: "OrderShipped", data: {} }])
      const error = yield* Effect.flip(Aggregate.load(Order, "o-1"))
      assert.strictEqual(error._tag, "UnknownEvent")
      assert.include(error.message, "\"OrderShipped\"")
    }).pipe(Effect.provide(memory)))

  it.effect("dies with a message when the stored sequence has a gap", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Aggregate.load(Order, "o-1"))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      assert.include(String(Exit.isFailure(exit) && Cause.squash(exit.cause)), "version 3 follows 1")
    }).pipe(Effect.provide(Layer.mock(EventStore.EventStore, {
      read: () =>
        Stream.fromIterable([1, 3].map((version) => ({
          position: BigInt(version),
          stream: { tenant: "", ...stream },
          version,
          id: `e-${version}`,
          type: "OrderCancelled",
          schemaVersion: 1,
          data: {},
          meta: {},
          at: new Date(0)
        }))),
      findAppend: () => Effect.succeedNone
    }))))

  it("refuses two events or two commands of one name", () => {
    const Twice = DomainEvent.make("Twice", { schema: {} })
    const Do = Command.make("a.Do", { payload: { id: Schema.String }, aggregateId: ({ id }) => id })
    const options = {
      name: "A",
      state: Schema.Null,
      initial: null,
      decide: { "a.Do": () => Effect.succeed([]) },
      evolve: { Twice: () => null }
    }
    assert.throws(
      () => Aggregate.make({ ...options, commands: [Do], events: [Twice, Twice] }),
      /Aggregate\.make\("A"\): events must be definitions with different names, got "Twice" twice/
    )
    assert.throws(
      () => Aggregate.make({ ...options, commands: [Do, Do], events: [Twice] }),
      /commands must be definitions with different names/
    )
  })
})

const payload = (quantity: number) => Place.payloadSchema.makeEffect({ orderId: "o-1", quantity })
