import { assert, describe, it } from "@effect/vitest"
import { Effect, PrimaryKey, Schema } from "effect"
import { Command, DomainError, Query } from "effect-lifecycle/domain"
import { UnitOfWork } from "effect-lifecycle/store"
import { Pay, Place } from "./support/orders.ts"

describe("Command", () => {
  it("refuses a tag without a namespace and says what one looks like", () => {
    for (const tag of ["Place", ".Place", "orders.", "orders..Place", "orders. Place"]) {
      assert.throws(() => Command.make(tag as "a.b"), /Command\.make: tag must be a name with a namespace/, tag)
      assert.throws(() => Query.make(tag as "a.b"), /Query\.make: tag must be/, tag)
    }
  })

  it.effect("is an Rpc whose primary key is the command id, and absent without one", () =>
    Effect.gen(function*() {
      const withId = yield* Place.payloadSchema.makeEffect({ orderId: "o-1", quantity: 1, requestKey: "k-1" })
      const without = yield* Place.payloadSchema.makeEffect({ orderId: "o-1", quantity: 1 })
      assert.isTrue(PrimaryKey.isPrimaryKey(withId))
      assert.strictEqual(PrimaryKey.isPrimaryKey(withId) && PrimaryKey.value(withId), "k-1")
      assert.isFalse(PrimaryKey.isPrimaryKey(without))
      const encoded = yield* Schema.encodeEffect(Place.payloadSchema)(withId)
      assert.deepStrictEqual(encoded, { orderId: "o-1", quantity: 1, requestKey: "k-1" })
      assert.isTrue(PrimaryKey.isPrimaryKey(yield* Schema.decodeEffect(Place.payloadSchema)(encoded)))
    }))

  it.effect("sends every failure that a command can have over the wire", () =>
    Effect.gen(function*() {
      const failures = [
        new UnitOfWork.StoreUnavailable({ operation: "append", reason: "gone" }),
        new DomainError.ConcurrencyConflict({ aggregate: "Order", id: "1", expected: 1, actual: 2 }),
        new DomainError.VersionMismatch({ aggregate: "Order", id: "1", expected: 1, actual: 2 }),
        new DomainError.Refused({ name: "orders.Pay", reason: "closed" }),
        new DomainError.InvalidPayload({ name: "orders.Pay", issues: [{ pointer: "/orderId", message: "missing" }] })
      ]
      for (const failure of failures) {
        const encoded = JSON.parse(JSON.stringify(yield* Schema.encodeEffect(Pay.errorSchema)(failure)))
        assert.deepStrictEqual(yield* Schema.decodeUnknownEffect(Pay.errorSchema)(encoded), failure)
        assert.isAbove(failure.message.length, 10)
      }
    }))

  it("knows its aggregate, its command id and its description", () => {
    const Ship = Command.make("orders.Ship", {
      payload: Schema.Struct({ id: Schema.String }),
      aggregateId: (payload) => payload.id,
      description: "Sends the goods"
    })
    assert.strictEqual(Ship.aggregateId({ id: "o-2" }), "o-2")
    assert.isUndefined(Ship.commandId({ id: "o-2" }))
    assert.strictEqual(Ship.description, "Sends the goods")
  })
})
