import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Stream } from "effect"
import { CircuitBreaker } from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"

const make = (keys: CircuitBreaker.KeyedPolicy["keys"] = {}, change: Partial<CircuitBreaker.Policy> = {}) =>
  CircuitBreaker.make({
    name: "upstreams",
    trip: CircuitBreaker.consecutive(2),
    breakDuration: "10 seconds",
    keys,
    ...change
  })
type Breaker = CircuitBreaker.CircuitBreaker
const fail = (breaker: Breaker, key: string) => Effect.exit(breaker.run(key, Effect.fail("down")))
const ok = (breaker: Breaker, key: string) => breaker.run(key, Effect.void)
const open = (breaker: Breaker, key: string) => Effect.andThen(fail(breaker, key), fail(breaker, key))
const state = (breaker: Breaker, key: string) => Effect.map(breaker.snapshot(key), (snapshot) => snapshot.state)

describe("CircuitBreaker.make", () => {
  it.effect("keeps one circuit per key", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      yield* open(breaker, "a")
      yield* ok(breaker, "b")
      const refused = yield* Effect.flip(ok(breaker, "a"))
      assert.deepStrictEqual([refused.name, refused.key], ["upstreams", "a"])
      assert.include(refused.message, "Circuit \"a\" of \"upstreams\" is open")
      assert.deepStrictEqual(yield* breaker.keys, ["a", "b"])
    }))
  it.effect("looks at a key without making it", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      const snapshot = yield* breaker.snapshot("never used")
      assert.deepStrictEqual([snapshot.state, snapshot.counts.success, yield* breaker.keys], ["Closed", 0, []])
    }))
  it.effect("tells without a permit, a move or a new key whether a call would be let through", () =>
    Effect.withFiber((fiber) =>
      Effect.gen(function*() {
        const breaker = yield* make()
        const admits = (key: string) => breaker.admitsUnsafe(key, fiber)
        assert.isTrue(admits("a"))
        assert.deepStrictEqual(yield* breaker.keys, [])
        yield* ok(breaker, "a")
        assert.isTrue(admits("a"))
        yield* open(breaker, "a")
        assert.isFalse(admits("a"))
        yield* TestClock.adjust("9999 millis")
        assert.isFalse(admits("a"))
        yield* TestClock.adjust("1 millis")
        assert.isTrue(admits("a"))
        assert.strictEqual(yield* state(breaker, "a"), "Open")
        const probe = yield* Effect.forkChild(breaker.run("a", Effect.never), { startImmediately: true })
        assert.isFalse(admits("a"))
        yield* Fiber.interrupt(probe)
        assert.isTrue(admits("a"))
        // A probe that takes too long has failed: the circuit is open again, for another break.
        yield* Effect.forkChild(breaker.run("a", Effect.never), { startImmediately: true })
        yield* TestClock.adjust("30 seconds")
        assert.isFalse(admits("a"))
        yield* TestClock.adjust("10 seconds")
        assert.isTrue(admits("a"))
        yield* Effect.scoped(
          Effect.andThen(breaker.isolate("b"), Effect.sync(() => assert.isFalse(admits("b"))))
        )
        assert.isTrue(admits("b"))
      })
    ))
  it.effect("is a service with a layer", () =>
    Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.Service
      assert.strictEqual(yield* breaker.run("a", Effect.succeed(1)), 1)
    }).pipe(Effect.provide(CircuitBreaker.Service.layer({
      name: "x",
      trip: CircuitBreaker.consecutive(1),
      breakDuration: 1
    }))))
  describe("idle keys", () => {
    it.effect("go when another call comes by, and say so", () =>
      Effect.gen(function*() {
        const breaker = yield* make({ idleTimeToLive: "1 hour" })
        const seen: Array<string> = []
        yield* Effect.forkChild(
          Stream.runForEach(breaker.events, (event) => Effect.sync(() => seen.push(`${event._tag} ${event.key}`))),
          { startImmediately: true }
        )
        yield* ok(breaker, "a")
        yield* TestClock.adjust("30 minutes")
        yield* ok(breaker, "b")
        yield* TestClock.adjust("30 minutes")
        yield* ok(breaker, "c")
        assert.deepStrictEqual(yield* breaker.keys, ["b", "c"])
        yield* Effect.yieldNow
        assert.deepStrictEqual(seen, ["Evicted a"])
      }))
    it.effect("begin anew when they are used again", () =>
      Effect.gen(function*() {
        const breaker = yield* make({ idleTimeToLive: "1 minute" })
        yield* fail(breaker, "a")
        yield* TestClock.adjust("1 minute")
        yield* fail(breaker, "a")
        assert.strictEqual(yield* state(breaker, "a"), "Closed")
      }))
    it.effect("stay while they are open, isolated, or have a probe under way", () =>
      Effect.gen(function*() {
        const breaker = yield* make({ idleTimeToLive: "1 second" }, { probe: { maxDuration: "1 hour" } })
        yield* open(breaker, "open")
        yield* TestClock.adjust("9 seconds")
        assert.deepStrictEqual(yield* breaker.keys, ["open"])
        yield* Effect.scoped(Effect.gen(function*() {
          yield* breaker.isolate("isolated")
          yield* TestClock.adjust("1 second")
          const probe = yield* Effect.forkChild(breaker.run("open", Effect.never), { startImmediately: true })
          yield* TestClock.adjust("1 minute")
          assert.deepStrictEqual(yield* breaker.keys, ["open", "isolated"])
          yield* Fiber.interrupt(probe)
          yield* TestClock.adjust("1 minute")
          assert.deepStrictEqual(yield* breaker.keys, ["isolated"])
        }))
      }))
    it.effect("come back with a call that outlived them, so that long calls still count", () =>
      Effect.gen(function*() {
        const breaker = yield* make({ idleTimeToLive: "1 second" })
        for (let i = 0; i < 2; i++) {
          const call = yield* Effect.forkChild(
            Effect.exit(breaker.run("slow", Effect.andThen(Effect.sleep("10 seconds"), Effect.fail("down")))),
            { startImmediately: true }
          )
          yield* TestClock.adjust("9 seconds")
          assert.deepStrictEqual(yield* breaker.keys, [])
          yield* TestClock.adjust("1 second")
          yield* Fiber.join(call)
        }
        assert.strictEqual(yield* state(breaker, "slow"), "Open")
      }))
  })
  describe("the maximum number of keys", () => {
    it.effect("drops the least recently used", () =>
      Effect.gen(function*() {
        const breaker = yield* make({ maximum: 3 })
        for (const key of ["a", "b", "c"]) yield* ok(breaker, key)
        yield* TestClock.adjust(1)
        yield* ok(breaker, "a")
        yield* ok(breaker, "d")
        assert.deepStrictEqual((yield* breaker.keys).toSorted(), ["a", "c", "d"])
      }))
    it.effect("spares an open circuit while a closed one can go", () =>
      Effect.gen(function*() {
        const breaker = yield* make({ maximum: 3 })
        yield* open(breaker, "open")
        for (let i = 0; i < 50; i++) yield* ok(breaker, `visitor ${i}`)
        assert.strictEqual(yield* state(breaker, "open"), "Open")
        assert.strictEqual((yield* breaker.keys).length, 3)
      }))
    it.effect("holds even where every circuit is open", () =>
      Effect.gen(function*() {
        const breaker = yield* make({ maximum: 3 })
        for (let i = 0; i < 200; i++) yield* open(breaker, `${i}`)
        assert.strictEqual((yield* breaker.keys).length, 3)
        assert.strictEqual(yield* state(breaker, "199"), "Open")
      }))
    it.effect("never drops an isolated circuit", () =>
      Effect.scoped(Effect.gen(function*() {
        const breaker = yield* make({ maximum: 2 })
        yield* breaker.isolate("isolated")
        for (let i = 0; i < 100; i++) yield* (i % 2 === 0 ? ok(breaker, `${i}`) : open(breaker, `${i}`))
        yield* open(breaker, "100")
        yield* ok(breaker, "101")
        assert.isTrue((yield* Effect.flip(ok(breaker, "isolated"))).isolated)
        assert.strictEqual((yield* breaker.keys).length, 2)
      })))
    it.effect("gives a call whose circuit was dropped and made anew no say in the new one", () =>
      Effect.gen(function*() {
        const breaker = yield* make({ maximum: 1 })
        const gate = yield* Deferred.make<void>()
        const old = Effect.andThen(Deferred.await(gate), Effect.fail("down"))
        const calls = yield* Effect.forEach(
          [1, 2],
          () => Effect.forkChild(Effect.exit(breaker.run("a", old)), { startImmediately: true })
        )
        yield* ok(breaker, "b")
        yield* ok(breaker, "a")
        yield* Deferred.succeed(gate, undefined)
        yield* Effect.forEach(calls, Fiber.join)
        assert.strictEqual(yield* state(breaker, "a"), "Closed")
        assert.deepStrictEqual(yield* breaker.keys, ["a"])
      }))
  })
  it("refuses options that make no sense when it is called, naming them", () => {
    const wrong = [
      ["keys.idleTimeToLive", { idleTimeToLive: 0 }],
      ["keys.idleTimeToLive", { idleTimeToLive: Infinity }],
      ["keys.maximum", { maximum: 0 }],
      ["keys.maximum", { maximum: Infinity }]
    ] as const
    for (const [option, keys] of wrong) {
      assert.throws(() => make(keys), `CircuitBreaker: ${option} must be`)
    }
  })
})
