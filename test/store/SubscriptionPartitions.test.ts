import { assert, describe, layer as testLayer } from "@effect/vitest"
import { Context, Effect, Fiber, Latch, Layer, Schedule, Stream } from "effect"
import { EventStore, MemoryStore, StateStore, Subscription } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { pgTest } from "../postgres.ts"
import { client, elsewhere, eventually } from "./processes.ts"
import { append, count, countOf, fresh, reach, run, seen, statusOf, type Stores } from "./subscriptionContract.ts"

const subscriptions = Subscription.Subscriptions

/** How many partitions each owner has, the most first. */
const shares = (name: string) =>
  Effect.map(statusOf(name), (status) => {
    const counts = new Map((status?.owners ?? []).map((owner) => [owner, 0]))
    for (const { owner } of status?.partitions ?? []) {
      if (owner !== undefined) counts.set(owner, (counts.get(owner) ?? 0) + 1)
    }
    return [...counts.values()].toSorted((left, right) => right - left)
  })
const sharesBecome = (name: string, expected: ReadonlyArray<number>) =>
  Effect.flatMap(
    eventually(shares(name), (found) => found.join() === expected.join()).pipe(
      Effect.catchTag("TimeoutError", () => shares(name))
    ),
    (found) => Effect.sync(() => assert.deepStrictEqual(found, expected))
  )

/** Which versions of each stream came, in the order in which they did; kept in the subscription's own transactions. */
const order = (name: string, event: EventStore.StoredEvent) =>
  StateStore.StateStore.use((states) =>
    Effect.gen(function*() {
      const id = `${name}/${event.stream.id}`
      const found = yield* states.get(seen, id)
      const before = found._tag === "Some" ? found.value.state : { count: 0, last: "" }
      yield* states.put(seen, {
        id,
        version: 1,
        state: { count: before.count + 1, last: `${before.last}${event.version},` }
      })
    })
  )
const orderOf = (name: string, stream: string) =>
  StateStore.StateStore.use((states) => states.get(seen, `${name}/${stream}`)).pipe(
    Effect.map((found) => found._tag === "Some" ? found.value.state.last : "")
  )
const streams = Array.from({ length: 12 }, (_, index) => `s-${index}`)
const appendEach = (category: string, type: string, times: number) =>
  Effect.gen(function*() {
    let last = 0n
    for (let i = 0; i < times; i++) for (const stream of streams) last = yield* append(category, stream, type)
    return last
  })
const upTo = (version: number) => Array.from({ length: version }, (_, index) => `${index + 1},`).join("")
const assertEach = (name: string, versions: number) =>
  Effect.forEach(
    streams,
    (stream) => Effect.map(orderOf(name, stream), (found) => assert.strictEqual(found, upTo(versions), stream)),
    { discard: true }
  )

const contract = <E>(title: string, layer: Layer.Layer<Stores, E>): void => {
  testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })(title, (it) => {
    it.effect("spread the streams, keep each stream in order, and have each effect once", () =>
      Effect.gen(function*() {
        const { category, name, type } = fresh()
        yield* appendEach(category, type, 3)
        const handle = (event: EventStore.StoredEvent) => order(name, event)
        const first = yield* run({ name, categories: [category], partitions: 4, batchSize: 5, handle })
        const second = yield* run({
          name,
          categories: [category],
          partitions: 4,
          batchSize: 5,
          handle,
          lease: "1 second"
        })
        yield* reach(name, yield* appendEach(category, type, 3))
        yield* assertEach(name, 6)
        assert.lengthOf((yield* statusOf(name))?.partitions ?? [], 4)
        yield* Fiber.interruptAll([first, second])
        assert.deepStrictEqual((yield* statusOf(name))?.owners, [])
      }))
    it.effect("give every stream to exactly one share, and none of them nothing", () =>
      Effect.gen(function*() {
        const { category, type } = fresh()
        yield* Effect.forEach(Array.from({ length: 60 }, (_, i) => i), (i) => append(category, `x-${i}`, type))
        const shares = yield* Effect.forEach(
          [0, 1, 2, 3],
          (index) =>
            EventStore.EventStore.use((store) =>
              Stream.runCollect(store.readAll({ categories: [category], share: { of: 4, index } }))
            )
        )
        const ids = shares.map((events) => events.map((event) => event.stream.id))
        assert.strictEqual(new Set(ids.flat()).size, 60)
        assert.lengthOf(ids.flat(), 60)
        assert.isAtLeast(Math.min(...ids.map((each) => each.length)), 5)
      }))
    for (const [before, after] of [[1, 4], [5, 2], [3, 1]] as const) {
      it.effect(`go from ${before} to ${after} without a repetition or a gap, each at its own pace before`, () =>
        Effect.gen(function*() {
          const { category, name, type } = fresh()
          const held = yield* Latch.make(true)
          const slow = streams[0]
          const handle = (event: EventStore.StoredEvent) =>
            Effect.andThen(event.stream.id === slow ? held.await : Effect.void, order(name, event))
          const options = { name, categories: [category], batchSize: 2, handle, lease: "5 seconds" as const }
          const first = yield* run({ ...options, partitions: before })
          yield* reach(name, yield* appendEach(category, type, 2))
          // One partition falls behind, so the new division has to wait for it.
          if (before > 1 && title !== "MemoryStore") yield* held.close
          yield* appendEach(category, type, 2)
          yield* Effect.sleep("50 millis")
          const second = yield* run({ ...options, partitions: after })
          yield* Effect.sleep("50 millis")
          yield* held.open
          yield* reach(name, yield* appendEach(category, type, 2))
          const status = yield* eventually(statusOf(name), (status) => status?.partitions.length === after)
          assert.isUndefined(status?.dividingInto)
          yield* Fiber.interrupt(first)
          yield* reach(name, yield* appendEach(category, type, 1))
          yield* assertEach(name, 7)
          yield* Fiber.interrupt(second)
        }))
    }
    it.effect("pause one by one, and all go on when resumed", () =>
      Effect.gen(function*() {
        const { category, name, type } = fresh()
        let broken = true
        const fiber = yield* run({
          name,
          categories: [category],
          partitions: 3,
          batchSize: 1,
          retry: Schedule.recurs(0),
          handle: (event): Effect.Effect<void, unknown, StateStore.StateStore> =>
            broken && event.stream.id === "s-0" ? Effect.fail("not this one") : order(name, event)
        })
        const last = yield* appendEach(category, type, 1)
        const error = yield* Effect.flip(reach(name, last))
        assert.strictEqual(error._tag, "SubscriptionPaused")
        const others = eventually(
          Effect.forEach(streams, (stream) => orderOf(name, stream)),
          (found) => found.filter((versions) => versions === "1,").length >= 4
        )
        assert.isAtLeast((yield* others).length, 4)
        const status = yield* statusOf(name)
        assert.lengthOf(status?.partitions.filter(({ paused }) => paused !== undefined) ?? [], 1)
        broken = false
        assert.isTrue(yield* subscriptions.use((all) => all.resume(name)))
        yield* reach(name, last)
        yield* assertEach(name, 1)
        yield* Fiber.interrupt(fiber)
      }))
    it.effect("are forgotten with the subscription, which cannot be removed while it runs", () =>
      Effect.gen(function*() {
        const { category, name, type } = fresh()
        const all = yield* subscriptions
        assert.strictEqual(yield* all.remove(name), "absent")
        const fiber = yield* run({ name, categories: [category], partitions: 2, handle: (event) => count(name, event) })
        const last = yield* append(category, "a", type)
        yield* reach(name, last)
        assert.strictEqual(yield* all.remove(name), "running")
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(yield* all.remove(name), "removed")
        assert.isUndefined(yield* all.status(name))
        yield* run({ name, categories: [category], handle: (event) => count(name, event) })
        yield* reach(name, last)
        assert.strictEqual(yield* countOf(name), 2)
      }))
    it.effect("undo and blame a handler that is not done within its timeout", () =>
      Effect.gen(function*() {
        const { category, name, type } = fresh()
        let attempts = 0
        yield* run({
          name,
          categories: [category],
          timeout: "200 millis" as const,
          poison: "skip",
          retry: Schedule.recurs(1),
          handle: (event) =>
            Effect.andThen(
              count(name, event),
              Effect.suspend(() => event.version === 1 && ++attempts > 0 ? Effect.never : Effect.void)
            )
        })
        yield* reach(name, yield* append(category, "a", type, 2))
        assert.strictEqual(attempts, 3) // once with its batch, twice alone
        assert.strictEqual(yield* countOf(name), 1)
        const [letter] = yield* subscriptions.use((all) => all.deadLetters(name))
        assert.include(letter?.reason, "within its timeout (200 ms)")
      }))
  })
}

describe("Partitions of a subscription", () => {
  contract("MemoryStore", MemoryStore.layer)
  contract("PgStore", PgStore.layer().pipe(Layer.provide(pgTest({ client }))))

  const Pg = PgStore.layer().pipe(Layer.provideMerge(pgTest({ client })))
  testLayer(Pg, { excludeTestServices: true, timeout: "60 seconds" })("of several processes", (it) => {
    it.effect("are divided evenly, and divided again when an owner joins or leaves", () =>
      Effect.gen(function*() {
        const { category, name, type } = fresh()
        const handle = (event: EventStore.StoredEvent) => order(name, event)
        const options = { name, categories: [category], partitions: 5, handle, lease: "500 millis" as const }
        const start = Effect.map(elsewhere, (context) =>
          Context.get(context, subscriptions).run(options).pipe(Effect.provideContext(context)))
        const first = yield* Effect.forkChild(yield* start)
        yield* sharesBecome(name, [5])
        const second = yield* Effect.forkChild(yield* start)
        yield* sharesBecome(name, [3, 2])
        yield* Effect.forkChild(yield* start)
        yield* sharesBecome(name, [2, 2, 1])
        yield* reach(name, yield* appendEach(category, type, 2))
        yield* Fiber.interrupt(first)
        yield* sharesBecome(name, [3, 2])
        yield* reach(name, yield* appendEach(category, type, 2))
        yield* Fiber.interrupt(second)
        yield* sharesBecome(name, [5])
        yield* reach(name, yield* appendEach(category, type, 1))
        yield* assertEach(name, 5)
      }))
    it.effect("stand by for one another when there are more owners than partitions", () =>
      Effect.gen(function*() {
        const { category, name, type } = fresh()
        const options = { name, categories: [category], handle: (event: EventStore.StoredEvent) => order(name, event) }
        const other = yield* elsewhere
        const first = yield* run({ ...options, lease: "400 millis" as const })
        yield* sharesBecome(name, [1])
        yield* Effect.forkChild(
          Context.get(other, subscriptions).run({ ...options, lease: "400 millis" as const }).pipe(
            Effect.provideContext(other)
          )
        )
        yield* sharesBecome(name, [1, 0])
        yield* Fiber.interrupt(first)
        yield* sharesBecome(name, [1])
        yield* reach(name, yield* appendEach(category, type, 1))
        yield* assertEach(name, 1)
      }))
  })
})
