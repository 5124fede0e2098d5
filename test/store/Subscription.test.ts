import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schedule } from "effect"
import { Recorder } from "effect-lifecycle/lifecycle"
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
  it.effect("reports where it stands, and what it has skipped", () =>
    Effect.gen(function*() {
      const { category, name, type } = fresh()
      const reports: Array<Recorder.Report> = []
      const all = yield* Subscription.Subscriptions
      yield* append(category, "a", type, 3)
      const handle = (event: EventStore.StoredEvent) =>
        event.version === 2 ? Effect.fail("no") : event.version === 3 ? Effect.fail("neither") : Effect.void
      const options = { name, handle, partitions: 2, retry: Schedule.recurs(0) } as const
      const skipping = yield* all.run({ ...options, poison: "skip" }).pipe(
        Recorder.recordTo((report) => reports.push(report)),
        Effect.forkChild
      )
      yield* all.awaitPosition(name, 3n)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(reports.filter(({ _tag }) => _tag === "EventBuried"), [
        { _tag: "EventBuried", subscription: name },
        { _tag: "EventBuried", subscription: name }
      ])
      const last = () => reports.findLast((report) => report._tag === "SubscriptionObserved")
      assert.deepStrictEqual(last(), {
        _tag: "SubscriptionObserved",
        subscription: name,
        lag: 0,
        lagMillis: 0,
        owned: 2,
        paused: 0,
        deadLetters: 2,
        mark: 3,
        gapMillis: 0,
        holders: 0
      })
      yield* Fiber.interrupt(skipping)
      yield* append(category, "b", type, 3)
      yield* TestClock.adjust("5 seconds")
      yield* all.run(options).pipe(Recorder.recordTo((report) => reports.push(report)), Effect.forkChild)
      yield* TestClock.adjust("3 seconds")
      assert.deepInclude(last(), { lag: 2, lagMillis: 7000, owned: 2, paused: 1, deadLetters: 2, mark: 6 })
    }).pipe(Effect.provide(Layer.fresh(MemoryStore.layer))))
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
