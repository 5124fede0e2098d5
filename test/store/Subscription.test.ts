import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schedule } from "effect"
import { type EventStore, MemoryStore, Subscription } from "effect-lifecycle/store"
import { TestClock } from "effect/testing"
import { append, fresh, subscriptionContract } from "./subscriptionContract.ts"

subscriptionContract("MemoryStore", MemoryStore.layer)

describe("Subscription", () => {
  it.effect("wakes without time passing, and retries by its schedule", () =>
    Effect.gen(function*() {
      const { category, name, type } = fresh()
      let attempts = 0
      const fiber = yield* Effect.forkChild(
        Subscription.Subscriptions.use((all) =>
          all.run({
            name,
            retry: Schedule.spaced("1 minute"),
            handle: () => Effect.suspend(() => ++attempts < 3 ? Effect.fail("not yet") : Effect.void)
          })
        )
      )
      const last = yield* append(category, "a", type)
      const waiting = yield* Effect.forkChild(Subscription.Subscriptions.use((all) => all.awaitPosition(name, last)))
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(attempts, 1)
      yield* TestClock.adjust("2 minutes")
      yield* Fiber.join(waiting)
      assert.strictEqual(attempts, 3)
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(MemoryStore.layer)))
  it.effect("stores a checkpoint that only moved over other events within a second or so", () =>
    Effect.gen(function*() {
      const { category, name, type } = fresh()
      const all = yield* Subscription.Subscriptions
      const got: Array<number> = []
      const handle = (event: EventStore.StoredEvent) =>
        Effect.sync(() => {
          got.push(event.version)
        })
      const fiber = yield* Effect.forkChild(all.run({ name, types: ["Never"], handle }))
      yield* append(category, "a", type)
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.interrupt(fiber)
      // What runs under the name next begins where the row says.
      yield* Effect.forkChild(all.run({ name, handle }))
      yield* all.awaitPosition(name, yield* append(category, "a", type))
      assert.deepStrictEqual(got, [2])
    }).pipe(Effect.provide(MemoryStore.layer)))
  it.effect("runs as a layer for as long as that lives", () =>
    Effect.gen(function*() {
      const { category, name, type } = fresh()
      const got: Array<number> = []
      const worker = Subscription.layer({
        name,
        handle: (event) =>
          Effect.sync(() => {
            got.push(event.version)
          })
      })
      const first = yield* Effect.gen(function*() {
        const position = yield* append(category, "a", type)
        yield* Subscription.Subscriptions.use((all) => all.awaitPosition(name, position))
        return position
      }).pipe(Effect.provide(worker))
      yield* append(category, "a", type)
      yield* Effect.yieldNow
      assert.deepStrictEqual(got, [1])
      assert.strictEqual((yield* Subscription.Subscriptions.use((all) => all.status(name)))?.position, first)
    }).pipe(Effect.provide(Layer.fresh(MemoryStore.layer))))
})
