import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { type EventStore, Projection, Tenant, type UnitOfWork } from "effect-lifecycle/store"
import { ProjectionSpec } from "effect-lifecycle/testing"
import { Cancelled, Order, Paid, Placed } from "../domain/support/orders.ts"

const Row = Schema.Struct({ orders: Schema.Int, quantity: Schema.Int })
const quantityOf = (event: EventStore.StoredEvent) => (event.data as { readonly quantity: number }).quantity

type Handle = (
  event: EventStore.StoredEvent,
  rows: Projection.Rows<typeof Row.Type>
) => Effect.Effect<void, UnitOfWork.StoreUnavailable>

const add: Handle = (event, rows) =>
  rows.modify("all", (row) => ({
    orders: (row?.orders ?? 0) + 1,
    quantity: (row?.quantity ?? 0) + quantityOf(event)
  }))

const make = (
  { handle = add, react, types = ["OrderPlaced"] }: {
    readonly handle?: Handle
    readonly react?: Handle
    readonly types?: ReadonlyArray<string> | undefined
  } = {}
) => Projection.make({ name: "totals", version: 3, schema: Row, types, handle, react })

const placed = (id: string, quantity: number) =>
  ProjectionSpec.of(Order, id, [Placed.make({ quantity, note: "" }), Paid.make({ at: new Date(0) })])
const textOf = <A, R>(self: Effect.Effect<A, ProjectionSpec.Unexpected, R>) =>
  Effect.map(Effect.flip(self), (error) => error.message.split("\n"))

describe("ProjectionSpec", () => {
  it.effect("passes where rows are as expected, built or kept live, on the clock of a test that nobody moves", () =>
    Effect.gen(function*() {
      const spec = ProjectionSpec.given(make(), [placed("o-1", 2), placed("o-2", 3)])
      yield* spec.thenRow("all", { orders: 2, quantity: 5 })
      yield* spec.thenRows({ all: { orders: 2, quantity: 5 } })
      yield* spec.thenRow("none", undefined)
      yield* spec.when([placed("o-3", 4), placed("o-1", 1)]).thenRows({ all: { orders: 4, quantity: 10 } })
      yield* ProjectionSpec.given(make()).thenRows({})
      yield* ProjectionSpec.given(make()).when([placed("o-1", 1)]).thenRow("all", { orders: 1, quantity: 1 })
    }))

  it.effect("takes events as a store keeps them, in one order with those of aggregates", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const log = make({
        types: ["OrderPlaced", "OrderCancelled"],
        handle: (event) =>
          Effect.sync(() => void seen.push(`${event.stream.category} ${event.type} ${event.schemaVersion}`))
      })
      const old = { type: "OrderPlaced", schemaVersion: 1, data: { amount: 2 } }
      yield* ProjectionSpec.given(log, [
        ProjectionSpec.stored({ category: "Old", id: "o" }, [old]),
        ProjectionSpec.of(Order, "o", [Cancelled.make({})])
      ]).thenRows({})
      assert.deepStrictEqual(seen.slice(0, 2), ["Old OrderPlaced 1", "Order OrderCancelled 1"])
    }))

  it.effect("says what was given, what happened then, and in which field a row differs", () =>
    Effect.gen(function*() {
      const spec = ProjectionSpec.given(make(), [placed("o-1", 2)])
      assert.deepStrictEqual(yield* textOf(spec.when([placed("o-2", 1)]).thenRow("all", { orders: 2, quantity: 4 })), [
        "given totals (version 3)",
        "  Order \"o-1\": OrderPlaced {\"quantity\":2,\"note\":\"\"}",
        "  Order \"o-1\": OrderPaid {\"at\":1970-01-01T00:00:00.000Z}",
        "when",
        "  Order \"o-2\": OrderPlaced {\"quantity\":1,\"note\":\"\"}",
        "  Order \"o-2\": OrderPaid {\"at\":1970-01-01T00:00:00.000Z}",
        "then",
        "  the row \"all\".quantity: expected 4, got 3"
      ])
      const none = yield* textOf(ProjectionSpec.given(make()).thenRow("all", { orders: 1, quantity: 1 }))
      assert.deepStrictEqual(none, [
        "given totals (version 3) without events",
        "then",
        "  the row \"all\": expected {\"orders\":1,\"quantity\":1}, got undefined"
      ])
      const more = yield* textOf(spec.thenRows({}))
      assert.strictEqual(more.at(-1), "  the rows.all: expected undefined, got {\"orders\":1,\"quantity\":2}")
    }))

  it.effect("runs reactions for what happens live, and not for what was there", () =>
    Effect.gen(function*() {
      const reacted: Array<string> = []
      const projection = make({ react: (event) => Effect.sync(() => void reacted.push(event.stream.id)) })
      const spec = ProjectionSpec.given(projection, [placed("o-1", 1)])
      yield* spec.thenRow("all", { orders: 1, quantity: 1 })
      assert.deepStrictEqual(reacted, [])
      yield* spec.when([placed("o-2", 1)]).thenRow("all", { orders: 2, quantity: 2 })
      assert.deepStrictEqual(reacted, ["o-2"])
    }))

  it.effect("finds a projection that a rebuild would change", () =>
    Effect.gen(function*() {
      let runs = 0
      const projection = make({ handle: (_event, rows) => rows.put("all", { orders: ++runs, quantity: 0 }) })
      const lines = yield* textOf(
        ProjectionSpec.given(projection, [placed("o-1", 1)]).thenRow("all", { orders: 1, quantity: 0 })
      )
      assert.strictEqual(lines.at(-1), "  rebuilt, the rows.all.orders: expected 1, got 2")
    }))

  it.effect("says that the projection failed, and why, at once", () =>
    Effect.gen(function*() {
      const projection = make({ handle: () => Effect.die(new Error("no such field")) })
      const built = yield* textOf(ProjectionSpec.given(projection, [placed("o-1", 1)]).thenRows({}))
      assert.include(built.at(-1), "the projection failed")
      assert.include(built.at(-1), "no such field")
      const live = yield* textOf(ProjectionSpec.given(projection).when([placed("o-1", 1)]).thenRows({}))
      assert.include(live.at(-1), "no such field")
    }))

  it.effect("finds an event that its schema cannot keep", () =>
    Effect.gen(function*() {
      const lines = yield* textOf(
        ProjectionSpec.given(make(), [
          ProjectionSpec.of(Order, "o-1", [{ ...Placed.make({ quantity: 1, note: "" }), quantity: 1.5 }])
        ]).thenRows({})
      )
      assert.include(lines.join(), "does not survive the store")
    }))

  it.effect("runs the projection on the clock and for the tenant of the test", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(5000)
      const projection = make({
        handle: (_event, rows) =>
          Effect.flatMap(Clock.currentTimeMillis, (now) => rows.put("all", { orders: now, quantity: 0 }))
      })
      const spec = ProjectionSpec.given(projection, [placed("o-1", 1)])
      yield* spec.thenRow("all", { orders: 5000, quantity: 0 })
      yield* Effect.provideService(spec.thenRow("all", { orders: 5000, quantity: 0 }), Tenant.Current, "acme")
    }))
})
