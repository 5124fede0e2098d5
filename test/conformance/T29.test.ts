import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Domain, Mediator } from "effect-lifecycle/domain"
import { EventStore, MemoryStore } from "effect-lifecycle/store"
import { Place, placeHandler } from "../domain/support/orders.ts"

const Live = Domain.toLayer([placeHandler]).pipe(Layer.provideMerge(MemoryStore.layer))
const place = (expectedVersion?: number) =>
  Mediator.send(Place, { orderId: "o-1", quantity: 1 }, expectedVersion === undefined ? {} : { expectedVersion })

describe("T29: the store enforces the expected version (412 and 428 are in test/service)", () => {
  it.effect("of two writers on one version, one gets the actual version back and has written nothing", () =>
    Effect.gen(function*() {
      const store = yield* EventStore.EventStore
      const stream = { category: "Order", id: "o-1" }
      const write = store.append({ stream, expect: 0, events: [{ type: "OrderPlaced", data: {} }] })
      assert.strictEqual((yield* write)._tag, "Appended")
      assert.deepStrictEqual(yield* write, { _tag: "Conflict", expected: 0, actual: 1 })
      assert.strictEqual(yield* store.version(stream), 1)
    }).pipe(Effect.provide(MemoryStore.layer)))

  it.effect("a command that names a stale version fails with both versions, and is not tried again", () =>
    Effect.gen(function*() {
      yield* place()
      yield* place(1)
      const error = yield* Effect.flip(place(1))
      assert.deepInclude({ ...error }, { _tag: "VersionMismatch", expected: 1, actual: 2 })
      assert.strictEqual(
        yield* EventStore.EventStore.use((store) => store.version({ category: "Order", id: "o-1" })),
        2
      )
    }).pipe(Effect.provide(Live)))
})
