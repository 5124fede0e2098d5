/**
 * A subscription reads the next page while the handler has the present one. What was read ahead is handled once, and given
 * up where the checkpoint does not come to it.
 */
import { assert, describe, it as plainIt, layer as testLayer } from "@effect/vitest"
import { Deferred, Effect, Fiber, Latch, Layer, Schedule } from "effect"
import { EventStore, MemoryStore, StateStore, Subscription, UnitOfWork } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { Database } from "../../src/store/internal/memory/Database.ts"
import * as EventStoreMemory from "../../src/store/internal/memory/EventStoreMemory.ts"
import * as SubscriptionsMemory from "../../src/store/internal/memory/SubscriptionsMemory.ts"
import * as subscriptions from "../../src/store/internal/subscription/subscriptions.ts"
import { pgTest } from "../postgres.ts"
import { append, fresh, reach, run, seen, statusOf, type Stores } from "./subscriptionContract.ts"

const batchSize = 3
const all = Subscription.Subscriptions

/** Adds the event to those that were handled, in the subscription's own transaction. */
const note = (name: string, event: EventStore.StoredEvent) =>
  StateStore.StateStore.use((states) =>
    Effect.gen(function*() {
      const found = yield* states.get(seen, name)
      const before = found._tag === "Some" ? found.value.state : { count: 0, last: "" }
      yield* states.put(seen, {
        id: name,
        version: 1,
        state: { count: before.count + 1, last: `${before.last}${event.version} ` }
      })
    })
  )
const noted = (name: string) =>
  StateStore.StateStore.use((states) => states.get(seen, name)).pipe(
    Effect.map((found) => found._tag === "Some" ? found.value.state.last.trim().split(" ").map(Number) : [])
  )
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

/** Appends events one by one, each with others around it that the subscription does not want. */
const appendAmongOthers = Effect.fnUntraced(function*(category: string, type: string, count: number) {
  for (let i = 0; i < count; i++) {
    yield* append("Elsewhere", "x", type)
    yield* append(category, "a", type)
  }
  return yield* append("Elsewhere", "x", type)
})

const contract = <E>(title: string, layer: Layer.Layer<Stores, E>): void => {
  testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })(title, (it) => {
    // The second page has 4, 5 and 6; the third is read while it is handled.
    for (const bad of [4, 5, 6]) {
      it.effect(`loses and repeats nothing around a pause before the event ${bad}`, () =>
        Effect.gen(function*() {
          const { category, name, type } = fresh()
          let broken = true
          yield* appendAmongOthers(category, type, 10)
          const fiber = yield* run({
            name,
            categories: [category],
            batchSize,
            retry: Schedule.recurs(1),
            handle: (event): Effect.Effect<void, unknown, StateStore.StateStore> =>
              broken && event.version === bad
                ? Effect.andThen(note(name, event), Effect.fail("not this one"))
                : note(name, event)
          })
          const more = yield* appendAmongOthers(category, type, 1)
          assert.strictEqual((yield* Effect.flip(reach(name, more)))._tag, "SubscriptionPaused")
          assert.deepStrictEqual(yield* noted(name), upTo(bad - 1))
          // What comes while it is paused belongs behind what was read ahead.
          const last = yield* appendAmongOthers(category, type, 3)
          broken = false
          assert.isTrue(yield* all.use((subscriptions) => subscriptions.resume(name)))
          yield* reach(name, last)
          assert.deepStrictEqual(yield* noted(name), upTo(14))
          yield* Fiber.interrupt(fiber)
        }))
      it.effect(`loses and repeats nothing but the event ${bad}, which it skips and can deliver later`, () =>
        Effect.gen(function*() {
          const { category, name, type } = fresh()
          yield* appendAmongOthers(category, type, 10)
          const fiber = yield* run({
            name,
            categories: [category],
            batchSize,
            retry: Schedule.recurs(1),
            poison: "skip",
            handle: (event): Effect.Effect<void, unknown, StateStore.StateStore> =>
              event.version === bad
                ? Effect.andThen(note(name, event), Effect.fail("not this one"))
                : note(name, event)
          })
          yield* reach(name, yield* appendAmongOthers(category, type, 4))
          const others = upTo(14).filter((version) => version !== bad)
          assert.deepStrictEqual(yield* noted(name), others)
          const letters = yield* all.use((subscriptions) => subscriptions.deadLetters(name))
          assert.deepStrictEqual(letters.map(({ version }) => version), [bad])
          const { position } = letters[0] ?? assert.fail("no dead letter")
          yield* all.use((subscriptions) => subscriptions.redeliver(name, position, (event) => note(name, event)))
          assert.deepStrictEqual(yield* noted(name), [...others, bad])
          yield* Fiber.interrupt(fiber)
        }))
    }
    it.effect("goes on from the checkpoint, not from what was read ahead, when it is interrupted in between", () =>
      Effect.gen(function*() {
        const { category, name, type } = fresh()
        const entered = yield* Deferred.make<void>()
        const last = yield* appendAmongOthers(category, type, 10)
        const options = { name, categories: [category], batchSize }
        const fiber = yield* run({
          ...options,
          handle: (event) =>
            Effect.andThen(
              note(name, event),
              event.version === 5 ? Effect.andThen(Deferred.succeed(entered, undefined), Effect.never) : Effect.void
            )
        })
        yield* Deferred.await(entered)
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(yield* noted(name), upTo(3))
        yield* run({ ...options, handle: (event) => note(name, event) })
        yield* reach(name, last)
        assert.deepStrictEqual(yield* noted(name), upTo(10))
      }))
    it.effect("keeps the order of a stream whose handler fails now and then, over many pages", () =>
      Effect.gen(function*() {
        const { category, name, type } = fresh()
        const failed = new Set<number>()
        const last = yield* append(category, "a", type, 100)
        yield* run({
          name,
          categories: [category],
          batchSize,
          retry: Schedule.spaced("1 millis"),
          handle: (event): Effect.Effect<void, unknown, StateStore.StateStore> =>
            Effect.andThen(
              note(name, event),
              Effect.suspend(() => {
                if (event.version % 7 !== 0 || failed.has(event.version)) return Effect.void
                failed.add(event.version)
                return Effect.fail("not yet")
              })
            )
        })
        yield* reach(name, last)
        assert.deepStrictEqual(yield* noted(name), upTo(100))
        assert.strictEqual((yield* statusOf(name))?.deadLetters, 0)
      }))
  })
}

/** Subscriptions of a memory store that tell what they read, and where they put their checkpoint. */
const watched = () => {
  const database = new Database()
  const reads: Array<string> = []
  const moves: Array<string> = []
  const store = EventStoreMemory.make(database)
  const unit = UnitOfWork.UnitOfWork.of({
    run: database.run,
    afterCommit: database.afterCommit,
    isOpen: database.isOpen
  })
  const backend = SubscriptionsMemory.make(database)
  const { service } = subscriptions.make(
    {
      ...backend,
      move: (hold, from, to) => {
        moves.push(`${from} to ${to.position}`)
        return backend.move(hold, from, to)
      }
    },
    EventStore.EventStore.of({
      ...store,
      readAll: (options) => {
        reads.push(`after ${options?.after} up to ${options?.upTo}`)
        return store.readAll(options)
      }
    }),
    unit
  )
  /** Appends so many events to one stream, and gives the position of the last. */
  const fill = (count: number) =>
    Effect.map(
      store.append({
        stream: { category: "A", id: "a" },
        expect: "any",
        events: upTo(count).map(() => ({ type: "T", data: {} }))
      }),
      (result) => result._tag === "Appended" ? result.position : 0n
    )
  return { fill, moves, reads, service }
}

describe("Reading ahead", () => {
  contract("MemoryStore", Layer.fresh(MemoryStore.layer))
  contract("PgStore", PgStore.layer().pipe(Layer.provide(pgTest({ client: { maxConnections: 20 } }))))

  plainIt.live(
    "has one page at most, and keeps it through a batch that fails and is handled event by event",
    () =>
      Effect.gen(function*() {
        const { fill, reads, service } = watched()
        const last = yield* fill(9)
        const entered = yield* Latch.make(false)
        const go = yield* Latch.make(false)
        let failures = 1
        const fiber = yield* Effect.forkChild(service.run({
          name: "ahead",
          batchSize,
          retry: Schedule.recurs(1),
          handle: (event) =>
            Effect.gen(function*() {
              if (event.version !== 5) return
              yield* entered.open
              yield* go.await
              if (failures-- > 0) return yield* Effect.fail("not yet")
            })
        }))
        yield* entered.await
        yield* Effect.yieldNow
        // Two pages are done or under way, the third waits; the rest of the log is not in memory.
        assert.deepStrictEqual(reads, ["after 0 up to 9", "after 3 up to 9", "after 6 up to 9"])
        yield* go.open
        yield* service.awaitPosition("ahead", last)
        // The batch was undone and handled one by one up to its end, where the page that waits begins.
        assert.deepStrictEqual(reads.slice(3), [])
        yield* Fiber.interrupt(fiber)
      })
  )

  plainIt.live(
    "keeps no checkpoint for pages of a backlog with nothing to do, and one at its end",
    () =>
      Effect.gen(function*() {
        const { fill, moves, service } = watched()
        const last = yield* fill(20)
        const fiber = yield* Effect.forkChild(service.run({
          name: "idle",
          batchSize,
          handle: ({ version }) => version === 11 ? Effect.sync(() => {}) : Effect.void
        }))
        yield* service.awaitPosition("idle", last)
        yield* Fiber.interrupt(fiber)
        // 10 to 12 are work, and 19 and 20 the last page.
        assert.deepStrictEqual(moves, ["0 to 12", "12 to 20"])
        assert.strictEqual((yield* service.status("idle"))?.partitions[0]?.position, 20n)
      })
  )

  plainIt.live("handles again what no checkpoint was kept for, and nothing before", () =>
    Effect.gen(function*() {
      const { fill, service } = watched()
      const last = yield* fill(20)
      const entered = yield* Latch.make(false)
      const first = yield* Effect.forkChild(service.run({
        name: "idle",
        batchSize,
        handle: ({ version }) =>
          version === 5
            ? Effect.sync(() => {})
            : version === 14
            ? Effect.andThen(entered.open, Effect.never)
            : Effect.void
      }))
      yield* entered.await
      yield* Fiber.interrupt(first)
      const versions: Array<number> = []
      const again = yield* Effect.forkChild(service.run({
        name: "idle",
        batchSize,
        handle: ({ version }) => Effect.sync(() => void versions.push(version))
      }))
      yield* service.awaitPosition("idle", last)
      yield* Fiber.interrupt(again)
      assert.deepStrictEqual(versions, upTo(20).slice(6))
    }))

  plainIt.live(
    "keeps what was passed when it pauses, so that only the event that it pauses before comes again",
    () =>
      Effect.gen(function*() {
        const { fill, moves, service } = watched()
        const last = yield* fill(20)
        const versions: Array<number> = []
        let broken = true
        const fiber = yield* Effect.forkChild(service.run({
          name: "idle",
          batchSize,
          retry: Schedule.recurs(0),
          handle: ({ version }) => {
            versions.push(version)
            return version === 10 && broken ? Effect.fail("not yet") : Effect.void
          }
        }))
        const paused = Effect.map(service.status("idle"), (status) => status?.partitions[0]?.paused)
        yield* paused.pipe(
          Effect.repeat({ until: (found) => found !== undefined, schedule: Schedule.spaced("5 millis") })
        )
        // The ones before were undone with the failure.
        assert.strictEqual(moves.at(-1), "0 to 9")
        broken = false
        versions.length = 0
        yield* service.resume("idle")
        yield* service.awaitPosition("idle", last)
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(versions, upTo(20).slice(9))
      })
  )
})
