import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Option, Schema } from "effect"
import { MemoryStore, StateCache, StateStore, UnitOfWork } from "effect-lifecycle/store"
import { TestClock } from "effect/testing"

const Users = StateStore.collection({ name: "users", schema: Schema.Struct({ name: Schema.String }) })
const row = (id: string, name: string) => ({ id, version: 1, state: { name } })

/** The cache, the store below it, and how often that was asked. */
const setUp = Effect.gen(function*() {
  const below = yield* StateStore.StateStore
  const unit = yield* UnitOfWork.UnitOfWork
  const asked: Array<string> = []
  const gate: { wait: Effect.Effect<void> } = { wait: Effect.void }
  const counting: StateStore.StateStore["Service"] = {
    ...below,
    get: (collection, id) => {
      asked.push(id)
      return Effect.tap(below.get(collection, id), () => gate.wait)
    }
  }
  const cache = StateCache.make(counting, unit, { capacity: 2, timeToLive: "10 seconds" })
  const name = (id: string) => Effect.map(cache.get(Users, id), (found) => Option.getOrUndefined(found)?.state.name)
  return { asked, below, cache, gate, name, unit }
})
const it_ = (title: string, test: Effect.Effect<void, unknown, StateStore.StateStore | UnitOfWork.UnitOfWork>) =>
  it.effect(title, () => Effect.provide(test, MemoryStore.layer))

describe("StateCache", () => {
  it_(
    "asks the store once for a row, and once for a row that is not there",
    Effect.gen(function*() {
      const { asked, cache, name } = yield* setUp
      yield* cache.put(Users, row("a", "Alice"))
      assert.deepStrictEqual([yield* name("a"), yield* name("a"), yield* name("b"), yield* name("b")], [
        "Alice",
        "Alice",
        undefined,
        undefined
      ])
      assert.deepStrictEqual(asked, ["a", "b"])
    })
  )

  it_(
    "asks again when the time to live has passed",
    Effect.gen(function*() {
      const { asked, below, name } = yield* setUp
      yield* below.put(Users, row("a", "Alice"))
      yield* name("a")
      yield* below.put(Users, row("a", "Another process"))
      assert.strictEqual(yield* name("a"), "Alice")
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* name("a"), "Another process")
      assert.strictEqual(asked.length, 2)
    })
  )

  it_(
    "forgets a row with the write that changes or removes it",
    Effect.gen(function*() {
      const { cache, name } = yield* setUp
      yield* cache.put(Users, row("a", "Alice"))
      yield* name("a")
      yield* cache.put(Users, row("a", "Bob"))
      assert.strictEqual(yield* name("a"), "Bob")
      yield* cache.remove(Users, "a")
      assert.strictEqual(yield* name("a"), undefined)
    })
  )

  it_(
    "shows a transaction its own writes, others the old row until the commit, and nobody a write that was rolled back",
    Effect.gen(function*() {
      const { cache, name, unit } = yield* setUp
      yield* cache.put(Users, row("a", "Alice"))
      yield* name("a")
      const written = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkChild(unit.run(Effect.gen(function*() {
        yield* cache.put(Users, row("a", "Bob"))
        const inside = yield* name("a")
        yield* Deferred.succeed(written, undefined)
        yield* Deferred.await(go)
        return inside
      })))
      yield* Deferred.await(written)
      assert.strictEqual(yield* name("a"), "Alice")
      yield* Deferred.succeed(go, undefined)
      assert.strictEqual(yield* Fiber.join(fiber), "Bob")
      assert.strictEqual(yield* name("a"), "Bob")
      yield* Effect.exit(unit.run(Effect.andThen(cache.put(Users, row("a", "Never")), Effect.fail("no"))))
      assert.strictEqual(yield* name("a"), "Bob")
    })
  )

  it_(
    "does not keep an answer that a write has overtaken",
    Effect.gen(function*() {
      const { cache, gate, name } = yield* setUp
      yield* cache.put(Users, row("a", "Alice"))
      const go = yield* Deferred.make<void>()
      gate.wait = Deferred.await(go)
      const slow = yield* Effect.forkChild(name("a"), { startImmediately: true })
      gate.wait = Effect.void
      yield* cache.put(Users, row("a", "Bob"))
      yield* Deferred.succeed(go, undefined)
      assert.strictEqual(yield* Fiber.join(slow), "Alice")
      assert.strictEqual(yield* name("a"), "Bob")
    })
  )

  it_(
    "keeps as many rows as it may, the newest",
    Effect.gen(function*() {
      const { asked, name } = yield* setUp
      for (const id of ["a", "b", "c", "b", "c", "a"]) yield* name(id)
      assert.deepStrictEqual(asked, ["a", "b", "c", "a"])
    })
  )

  it.effect("is a layer over the store below", () =>
    Effect.gen(function*() {
      const store = yield* StateStore.StateStore
      yield* store.put(Users, row("a", "Alice"))
      assert.isTrue(Option.isSome(yield* store.get(Users, "a")))
    }).pipe(
      Effect.provide(
        StateCache.layer({ capacity: 1, timeToLive: "1 second" }).pipe(Layer.provideMerge(MemoryStore.layer))
      )
    ))
})
