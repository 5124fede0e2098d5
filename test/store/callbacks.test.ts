/** What a caller gives to a worker may throw while it is called, answer nothing, or never end: no work is held for ever. */
import { assert, describe, layer as testLayer } from "@effect/vitest"
import { Effect, Layer, Schedule } from "effect"
import { MemoryStore, Outbox, SagaStore, Subscription } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { pgTest } from "../postgres.ts"
import { append, fresh, reach, run, statusOf } from "./subscriptionContract.ts"

const stores = [
  ["MemoryStore", MemoryStore.layer],
  ["PgStore", PgStore.layer().pipe(Layer.provide(pgTest({ client: { maxConnections: 20 } })))]
] as const

const outbox = Outbox.Outbox
const quick = Schedule.spaced("1 millis")
const until = <E, R>(condition: Effect.Effect<boolean, E, R>) =>
  condition.pipe(
    Effect.filterOrFail((holds) => holds, () => "not yet" as const),
    Effect.retry({ schedule: Schedule.spaced("5 millis"), while: (error) => error === "not yet" }),
    Effect.timeout("10 seconds")
  )
const fails = (): never => {
  throw new Error("thrown at once")
}

/** Publishes two messages of one key, the first of them badly, and answers what has come through and what has not. */
const published = <E>(
  topic: string,
  bad: () => Effect.Effect<void, E>,
  options: Omit<Outbox.Options<E, never>, "publish"> = {}
) =>
  Effect.gen(function*() {
    const box = yield* outbox
    let calls = 0
    const got: Array<unknown> = []
    yield* box.enqueueAll([{ topic, key: "k", payload: "bad" }, { topic, key: "k", payload: "good" }])
    yield* Effect.forkChild(box.run({
      attempts: 2,
      retry: quick,
      poison: "skip",
      drain: 0,
      ...options,
      topics: [topic],
      publish: ({ payload }) => {
        if (payload === "good") return Effect.sync(() => void got.push(payload))
        calls++
        return bad()
      }
    }))
    yield* until(Effect.map(box.status({ topics: [topic] }), ({ pending }) => pending === 0))
    const [letter] = yield* box.deadLetters({ topics: [topic] })
    return { calls, got, reason: letter?.reason ?? "", attempts: letter?.attempts }
  })

for (const [title, stored] of stores) {
  describe(title, () => {
    testLayer(stored, { excludeTestServices: true, timeout: "60 seconds" })("what throws", (it) => {
      it.effect("a publish that throws fails as one that answers a failure, and its key goes on", () =>
        Effect.gen(function*() {
          const found = yield* published(fresh().name, fails)
          assert.deepInclude(found, { calls: 2, got: ["good"], attempts: 2 })
          assert.include(found.reason, "thrown at once")
        }))
      it.effect("a publish that answers something else than an effect fails too", () =>
        Effect.gen(function*() {
          const found = yield* published(fresh().name, () => undefined as unknown as Effect.Effect<void>)
          assert.deepInclude(found, { calls: 2, got: ["good"], attempts: 2 })
        }))
      it.effect("a publish that hangs fails after its timeout", () =>
        Effect.gen(function*() {
          const found = yield* published(fresh().name, () => Effect.never, { timeout: "30 millis" })
          assert.deepInclude(found, { calls: 2, got: ["good"], attempts: 2 })
          assert.include(found.reason, "It was not published within the timeout (30 ms)")
        }))
      it.effect("a retry schedule that throws is one that has ended", () =>
        Effect.gen(function*() {
          const retry = Schedule.spaced("1 millis").pipe(Schedule.while(fails))
          const found = yield* published(fresh().name, () => Effect.fail("no"), { retry })
          assert.deepInclude(found, { calls: 1, got: ["good"], attempts: 1 })
          assert.include(found.reason, "thrown at once")
        }))
      it.effect("a failure that cannot be shown is a failure all the same", () =>
        Effect.gen(function*() {
          const strange = new Error("x")
          Object.defineProperty(strange, "message", { get: fails })
          Object.defineProperty(strange, "stack", { get: fails })
          const found = yield* published(fresh().name, () => Effect.fail(strange))
          assert.deepInclude(found, { calls: 2, got: ["good"], attempts: 2 })
          assert.include(found.reason, "a failure that cannot be shown")
        }))
      it.effect("a publish that ends its own fiber is tried again", () =>
        Effect.gen(function*() {
          const found = yield* published(
            fresh().name,
            () => Effect.withFiber((fiber) => Effect.andThen(Effect.sync(() => fiber.interruptUnsafe()), Effect.never))
          )
          assert.deepInclude(found, { calls: 2, got: ["good"], attempts: 2 })
        }))
      it.effect("a subscription's handler that throws is retried, and its event kept", () =>
        Effect.gen(function*() {
          const { category, name, type } = fresh()
          const last = yield* append(category, "a", type, 2)
          let calls = 0
          yield* run({
            name,
            categories: [category],
            poison: "skip",
            batchSize: 1,
            retry: Schedule.recurs(1),
            handle: ({ version }) => {
              if (version === 2) return Effect.void
              calls++
              return fails()
            }
          })
          yield* reach(name, last)
          assert.strictEqual(calls, 2)
          const [letter] = yield* Subscription.Subscriptions.use((all) => all.deadLetters(name))
          assert.include(letter?.reason, "thrown at once")
        }))
      it.effect("a subscription's schedule that throws pauses it before the event, and resume goes on", () =>
        Effect.gen(function*() {
          const { category, name, type } = fresh()
          const last = yield* append(category, "a", type)
          let broken = true
          yield* run({
            name,
            categories: [category],
            retry: Schedule.recurs(1).pipe(Schedule.while(fails)),
            handle: () => broken ? Effect.fail("no") : Effect.void
          })
          yield* until(Effect.map(statusOf(name), (status) => status?.paused !== undefined))
          assert.include((yield* statusOf(name))?.paused?.reason, "thrown at once")
          broken = false
          assert.isTrue(yield* Subscription.Subscriptions.use((all) => all.resume(name)))
          yield* reach(name, last)
        }))
      it.effect("a handler of sagas that throws gives its saga back at once", () =>
        Effect.gen(function*() {
          const { name } = fresh()
          const sagas = yield* SagaStore.SagaStore
          yield* sagas.start({ name, id: "1", version: 1, input: "{}" })
          let calls = 0
          yield* Effect.forkChild(sagas.work({
            definitions: [{ name, version: 1 }],
            drain: 0,
            lease: "1 minute",
            handle: ({ saga, write }) => {
              calls++
              if (calls === 1) return fails()
              return Effect.asVoid(write({ steps: [], state: "completed", progress: true, failure: saga.failure }))
            }
          }))
          // After the second that a failed attempt rests, and not after the lease.
          yield* until(Effect.map(sagas.find({ name, id: "1" }), (saga) => saga?.state === "completed"))
          assert.strictEqual(calls, 2)
        }))
    })
  })
}
