/** What subscriptions promise over every store; each layer runs the same suite. */
import { assert, describe, layer as testLayer } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, type Layer, Schedule, Schema, Stream } from "effect"
import { EventStore, StateStore, Subscription, UnitOfWork } from "effect-lifecycle/store"

export type Stores =
  | EventStore.EventStore
  | StateStore.StateStore
  | Subscription.Subscriptions
  | UnitOfWork.UnitOfWork

const subscriptions = Subscription.Subscriptions
const store = EventStore.EventStore
export const seen = StateStore.collection({
  name: "seen",
  schema: Schema.Struct({ count: Schema.Int, last: Schema.String }),
  indexes: []
})

let names = 0
/** A name, a category and a type that nobody has used. */
export const fresh = () => {
  const n = ++names
  return { name: `sub-${n}`, category: `Cat${n}`, type: `Type${n}` }
}

export const append = (category: string, id: string, type: string, count = 1) =>
  store.use((events) =>
    events.append({
      stream: { category, id },
      expect: "any",
      events: Array.from({ length: count }, (_, i) => ({ type, data: { i } }))
    })
  ).pipe(Effect.map((result) => result._tag === "Appended" ? result.position : 0n))

const label = (event: EventStore.StoredEvent) => `${event.stream.id}:${event.version}`
export const collector = () => {
  const got: Array<string> = []
  const handle = (event: EventStore.StoredEvent) =>
    Effect.sync(() => {
      got.push(label(event))
    })
  return { got, handle }
}
export const run = <E, R>(options: Subscription.Options<E, R>) =>
  Effect.forkChild(subscriptions.use((all) => all.run(options)), { startImmediately: true })
export const reach = (name: string, position: bigint) =>
  subscriptions.use((all) => all.awaitPosition(name, position)).pipe(Effect.timeout("10 seconds"))
export const statusOf = (name: string) => subscriptions.use((all) => all.status(name))
/** Counts events in the store, in the subscription's transaction. */
export const count = (id: string, event: EventStore.StoredEvent) =>
  StateStore.StateStore.use((states) =>
    Effect.gen(function*() {
      const found = yield* states.get(seen, id)
      const before = found._tag === "Some" ? found.value.state.count : 0
      yield* states.put(seen, { id, version: 1, state: { count: before + 1, last: label(event) } })
    })
  )
export const countOf = (id: string) =>
  StateStore.StateStore.use((states) => states.get(seen, id)).pipe(
    Effect.map((found) => found._tag === "Some" ? found.value.state.count : 0)
  )

export const subscriptionContract = <E>(title: string, layer: Layer.Layer<Stores, E>): void => {
  describe(title, () => {
    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("Subscription", (it) => {
      it.effect("catches up in order, then follows", () =>
        Effect.gen(function*() {
          const { category, name, type } = fresh()
          const { got, handle } = collector()
          yield* append(category, "a", type, 3)
          yield* append(category, "b", type, 2)
          yield* run({ name, categories: [category], handle, batchSize: 2 })
          yield* append(category, "a", type)
          const last = yield* append(category, "c", type)
          yield* reach(name, last)
          assert.deepStrictEqual(got, ["a:1", "a:2", "a:3", "b:1", "b:2", "a:4", "c:1"])
        }))
      it.effect("goes on from its checkpoint when it runs again", () =>
        Effect.gen(function*() {
          const { category, name, type } = fresh()
          const first = collector()
          const fiber = yield* run({ name, categories: [category], handle: first.handle })
          yield* reach(name, yield* append(category, "a", type, 3))
          yield* Fiber.interrupt(fiber)
          const later = yield* append(category, "a", type)
          const second = collector()
          yield* run({ name, categories: [category], handle: second.handle })
          yield* reach(name, later)
          assert.deepStrictEqual([first.got, second.got], [["a:1", "a:2", "a:3"], ["a:4"]])
        }))
      it.effect("filters by type and by category, and passes what it leaves out", () =>
        Effect.gen(function*() {
          const { category, name, type } = fresh()
          const { got, handle } = collector()
          yield* run({ name, categories: [category], types: [type], handle })
          yield* append(category, "a", "Another")
          yield* append("Elsewhere", "b", type)
          yield* append(category, "c", type)
          yield* reach(name, yield* append(category, "d", "Another"))
          assert.deepStrictEqual(got, ["c:1"])
        }))
      it.effect("begins at the end when asked to", () =>
        Effect.gen(function*() {
          const { category, name, type } = fresh()
          const { got, handle } = collector()
          const before = yield* append(category, "a", type, 2)
          yield* run({ name, categories: [category], handle, from: "end" })
          yield* reach(name, before)
          yield* reach(name, yield* append(category, "a", type))
          assert.deepStrictEqual(got, ["a:3"])
        }))
      it.effect("keeps what a handler writes exactly when its checkpoint moves", () =>
        Effect.gen(function*() {
          const { category, name, type } = fresh()
          let failures = 3
          yield* run({
            name,
            categories: [category],
            retry: Schedule.spaced("1 millis"),
            handle: (event) =>
              Effect.andThen(
                count(name, event),
                Effect.suspend(() => event.version === 3 && failures-- > 0 ? Effect.fail("not yet") : Effect.void)
              )
          })
          yield* reach(name, yield* append(category, "a", type, 5))
          assert.strictEqual(yield* countOf(name), 5)
        }))
      it.effect("has the transaction of the first event that it does not leave alone, and none without one", () =>
        Effect.gen(function*() {
          const { category, name, type } = fresh()
          const unit = yield* UnitOfWork.UnitOfWork
          const built: Array<number> = []
          const open: Array<boolean> = []
          let failures = 1
          yield* run({
            name,
            categories: [category],
            retry: Schedule.recurs(1),
            handle: (event): Effect.Effect<void, unknown, StateStore.StateStore> => {
              built.push(event.version)
              return event.version < 3 ? Effect.void : Effect.gen(function*() {
                open.push(yield* unit.isOpen)
                yield* count(name, event)
                if (event.version === 4 && failures-- > 0) return yield* Effect.fail("not yet")
              })
            }
          })
          yield* reach(name, yield* append(category, "a", type, 2))
          assert.deepStrictEqual(built, [1, 2])
          assert.strictEqual((yield* statusOf(name))?.partitions[0]?.paused, undefined)
          // The batch of 3 and 4 is undone, and each is handled alone.
          yield* reach(name, yield* append(category, "a", type, 2))
          assert.deepStrictEqual(built, [1, 2, 3, 4, 3, 4])
          assert.deepStrictEqual(open, [true, true, true, true])
          assert.strictEqual(yield* countOf(name), 2)
        }))
      it.effect("has each effect once when two runners share a name", () =>
        Effect.gen(function*() {
          const { category, name, type } = fresh()
          const options = {
            name,
            categories: [category],
            batchSize: 3,
            handle: (event: EventStore.StoredEvent) => count(name, event)
          }
          yield* run(options)
          yield* run(options)
          let last = 0n
          for (let i = 0; i < 20; i++) last = yield* append(category, `s-${i % 3}`, type, 2)
          yield* reach(name, last)
          assert.strictEqual(yield* countOf(name), 40)
        }))
      it.effect("keeps a poisoned event as a dead letter, goes on, and can deliver it again", () =>
        Effect.gen(function*() {
          const { category, name, type } = fresh()
          const { got, handle } = collector()
          let broken = true
          const picky = (event: EventStore.StoredEvent) =>
            broken && event.version === 2 ? Effect.fail("cannot take it") : handle(event)
          yield* append(category, "a", type, 3)
          yield* run({ name, categories: [category], poison: "skip", retry: Schedule.recurs(2), handle: picky })
          yield* reach(name, yield* append(category, "a", type))
          // The first try of the whole batch was undone, and what it had put into `got` is outside of the store.
          assert.deepStrictEqual(got.slice(-3), ["a:1", "a:3", "a:4"])
          const [letter, ...others] = yield* subscriptions.use((all) => all.deadLetters(name))
          assert.lengthOf(others, 0)
          assert.deepInclude(letter, {
            stream: { tenant: "", category, id: "a" },
            version: 2,
            type,
            attempts: 3
          })
          assert.include(letter?.reason, "cannot take it")
          assert.strictEqual((yield* statusOf(name))?.deadLetters, 1)
          const again = subscriptions.use((all) => all.redeliver(name, letter?.position ?? 0n, picky))
          assert.strictEqual(yield* Effect.flip(again), "cannot take it")
          assert.strictEqual((yield* statusOf(name))?.deadLetters, 1)
          broken = false
          assert.isTrue(yield* again)
          assert.isFalse(yield* again)
          assert.strictEqual(got.at(-1), "a:2")
          assert.strictEqual((yield* statusOf(name))?.deadLetters, 0)
        }))
      it.effect("pauses before a poisoned event, says so to who waits, and goes on when resumed", () =>
        Effect.gen(function*() {
          const { category, name, type } = fresh()
          const { got, handle } = collector()
          let broken = true
          const options = {
            name,
            categories: [category],
            batchSize: 1,
            retry: Schedule.recurs(0),
            handle: (event: EventStore.StoredEvent) =>
              broken && event.version === 2 ? Effect.die(new Error("a bug")) : handle(event)
          }
          const fiber = yield* run(options)
          const last = yield* append(category, "a", type, 3)
          const error = yield* Effect.flip(reach(name, last))
          assert.strictEqual(error._tag, "SubscriptionPaused")
          assert.include(error.message, "a bug")
          assert.include(error.message, `version 2 of ${category} a`)
          assert.deepInclude((yield* statusOf(name))?.paused, { position: last - 1n })
          assert.deepStrictEqual(got, ["a:1"])
          // A process that starts now stays paused as well.
          yield* Fiber.interrupt(fiber)
          yield* run(options)
          yield* Effect.sleep("150 millis")
          assert.deepStrictEqual(got, ["a:1"])
          broken = false
          assert.isTrue(yield* subscriptions.use((all) => all.resume(name)))
          assert.isFalse(yield* subscriptions.use((all) => all.resume(name)))
          yield* reach(name, last)
          assert.deepStrictEqual(got, ["a:1", "a:2", "a:3"])
        }))
      it.effect("takes a handler that is interrupted from outside for no poison", () =>
        Effect.gen(function*() {
          const { category, name, type } = fresh()
          const reached = yield* Deferred.make<void>()
          const fiber = yield* run({
            name,
            categories: [category],
            poison: "skip",
            retry: Schedule.recurs(0),
            handle: () => Effect.andThen(Deferred.succeed(reached, undefined), Effect.never)
          })
          const last = yield* append(category, "a", type)
          yield* Deferred.await(reached)
          const exit = yield* Effect.andThen(Fiber.interrupt(fiber), Fiber.await(fiber))
          assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
          assert.lengthOf(yield* subscriptions.use((all) => all.deadLetters(name)), 0)
          const { got, handle } = collector()
          yield* run({ name, categories: [category], handle })
          yield* reach(name, last)
          assert.deepStrictEqual(got, ["a:1"])
        }))
      it.effect("takes a handler that interrupts itself for poison, not for the end", () =>
        Effect.gen(function*() {
          const { category, name, type } = fresh()
          const { got, handle } = collector()
          yield* run({
            name,
            categories: [category],
            poison: "skip",
            retry: Schedule.recurs(0),
            handle: (event) => event.version === 1 ? Effect.interrupt : handle(event)
          })
          yield* reach(name, yield* append(category, "a", type, 2))
          assert.deepStrictEqual(got, ["a:2"])
          assert.lengthOf(yield* subscriptions.use((all) => all.deadLetters(name)), 1)
        }))
      it.effect("waits for an unavailable store without blaming the event", () =>
        Effect.gen(function*() {
          const { category, name, type } = fresh()
          const { got, handle } = collector()
          let outages = 3
          yield* run({
            name,
            categories: [category],
            retry: Schedule.recurs(0),
            handle: (event) =>
              Effect.suspend((): Effect.Effect<void, UnitOfWork.StoreUnavailable> =>
                outages-- > 0
                  ? Effect.fail(new UnitOfWork.StoreUnavailable({ operation: "test", reason: "away" }))
                  : handle(event)
              )
          })
          yield* reach(name, yield* append(category, "a", type))
          assert.deepStrictEqual(got, ["a:1"])
        }))
      it.effect("delivers nothing of a transaction that is rolled back", () =>
        Effect.gen(function*() {
          const { category, name, type } = fresh()
          const { got, handle } = collector()
          yield* run({ name, categories: [category], handle })
          yield* UnitOfWork.UnitOfWork.use((unit) =>
            unit.run(Effect.andThen(append(category, "a", type), Effect.fail("no")))
          ).pipe(Effect.flip)
          const last = yield* UnitOfWork.UnitOfWork.use((unit) => unit.run(append(category, "b", type)))
          yield* reach(name, last)
          assert.deepStrictEqual(got, ["b:1"])
        }))
      it.effect("streams what is there and what comes, without a checkpoint", () =>
        Effect.gen(function*() {
          const { category, type } = fresh()
          const before = yield* append(category, "a", type, 2)
          const all = subscriptions.use((service) =>
            Stream.runCollect(
              service.events({ categories: [category] }).pipe(Stream.take(4), Stream.map(label))
            )
          )
          const fiber = yield* Effect.forkChild(all, { startImmediately: true })
          yield* append(category, "b", type, 2)
          assert.deepStrictEqual(yield* Fiber.join(fiber), ["a:1", "a:2", "b:1", "b:2"])
          const rest = yield* subscriptions.use((service) =>
            Stream.runCollect(service.events({ after: before, categories: [category] }).pipe(Stream.take(2)))
          )
          assert.deepStrictEqual(rest.map(label), ["b:1", "b:2"])
        }))
      it.effect("says where it stands", () =>
        Effect.gen(function*() {
          const { category, name, type } = fresh()
          assert.isUndefined(yield* statusOf(name))
          const fiber = yield* run({ name, categories: [category], handle: () => Effect.void })
          const last = yield* append(category, "a", type)
          yield* reach(name, last)
          const status = yield* statusOf(name)
          const [owner = "none"] = status?.owners ?? []
          assert.deepStrictEqual(status, {
            position: last,
            highest: last,
            lag: 0n,
            lagMillis: 0,
            paused: undefined,
            deadLetters: 0,
            partitions: [{ position: last, owner, paused: undefined }],
            owners: [owner],
            dividingInto: undefined
          })
          const { gapMillis, mark } = yield* subscriptions.use((all) => all.highWater)
          assert.strictEqual(mark, last)
          assert.isUndefined(gapMillis)
          yield* Fiber.interrupt(fiber)
          const later = yield* append(category, "a", type, 3)
          yield* Effect.sleep("20 millis")
          const behind = yield* statusOf(name)
          assert.deepInclude(behind, { position: last, highest: later, lag: later - last, owners: [] })
          assert.isAtLeast(behind?.lagMillis ?? 0, 10)
        }))
      it.effect("refuses to run or to wait inside a transaction, and options that make no sense", () =>
        Effect.gen(function*() {
          const { name } = fresh()
          const unit = yield* UnitOfWork.UnitOfWork
          const all = yield* subscriptions
          const handle = () => Effect.void
          const operations: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
            all.run({ name, handle }),
            all.awaitPosition(name, 1n),
            Stream.runDrain(all.events())
          ]
          for (const operation of operations) {
            const exit = yield* Effect.exit(unit.run(operation))
            assert.isTrue(Exit.isFailure(exit) && Cause.pretty(exit.cause).includes("inside a transaction"))
          }
          for (const wrong of [{ name: "" }, { name: "a\0" }, { name, batchSize: 0 }, { name, batchSize: 1.5 }]) {
            assert.strictEqual((yield* Effect.flip(all.run({ handle, ...wrong })))._tag, "InvalidOption")
          }
        }))
      it.effect("reads all events by type, category and range", () =>
        Effect.gen(function*() {
          const { category, type } = fresh()
          const first = yield* append(category, "a", type)
          const last = yield* append(category, "b", "Another", 2)
          const read = (options: EventStore.ReadAllOptions) =>
            store.use((events) =>
              Stream.runCollect(
                events.readAll({ after: first - 1n, ...options }).pipe(
                  Stream.filter((event) => event.stream.category === category),
                  Stream.map(label)
                )
              )
            )
          assert.deepStrictEqual(yield* read({}), ["a:1", "b:1", "b:2"])
          assert.deepStrictEqual(yield* read({ types: [type] }), ["a:1"])
          assert.deepStrictEqual(yield* read({ categories: [category], types: ["Another"] }), ["b:1", "b:2"])
          assert.deepStrictEqual(yield* read({ categories: [category], limit: 2 }), ["a:1", "b:1"])
          assert.deepStrictEqual(yield* read({ categories: ["\0"] }), [])
          assert.deepStrictEqual(yield* read({ types: [] }), [])
          assert.deepStrictEqual(yield* read({ upTo: last - 1n }), ["a:1", "b:1"])
          assert.deepStrictEqual(yield* read({ upTo: first - 1n }), [])
        }))
    })
  })
}
