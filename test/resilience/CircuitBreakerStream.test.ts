import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Stream } from "effect"
import { CircuitBreaker } from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"

const make = (failures: number) =>
  CircuitBreaker.make({ name: "feed", trip: CircuitBreaker.consecutive(failures), breakDuration: "10 seconds" })
type Breaker = CircuitBreaker.CircuitBreaker
const state = (breaker: Breaker) => Effect.map(breaker.snapshot("a"), (snapshot) => snapshot.state)
const counts = (breaker: Breaker) => Effect.map(breaker.snapshot("a"), (snapshot) => snapshot.counts)
const broken = Stream.concat(Stream.make(1, 2), Stream.fail("lost"))

describe("CircuitBreaker stream", () => {
  it.effect("counts a failure after items as a failure, and keeps the items and the error", () =>
    Effect.gen(function*() {
      const breaker = yield* make(1)
      const seen: Array<number> = []
      const exit = yield* Effect.exit(
        Stream.runForEach(breaker.stream("a", broken), (n) => Effect.sync(() => seen.push(n)))
      )
      assert.deepStrictEqual([seen, exit], [[1, 2], Exit.fail("lost")])
      const refused = yield* Effect.flip(Stream.runDrain(breaker.stream("a", Stream.die("must not run"))))
      assert.strictEqual(refused._tag, "CircuitOpen")
    }))
  it.effect("counts success only at completion", () =>
    Effect.gen(function*() {
      const breaker = yield* make(1)
      yield* Effect.exit(Stream.runDrain(breaker.stream("a", broken)))
      yield* TestClock.adjust("10 seconds")
      const slow = Stream.concat(Stream.make(1), Stream.fromEffect(Effect.as(Effect.sleep("1 second"), 2)))
      const probe = yield* Effect.forkChild(Stream.runCollect(breaker.stream("a", slow)), { startImmediately: true })
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(yield* state(breaker), "HalfOpen")
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* Fiber.join(probe), [1, 2])
      assert.strictEqual(yield* state(breaker), "Closed")
    }))
  it.effect("is neutral when its consumer leaves, and gives the permit back", () =>
    Effect.gen(function*() {
      const breaker = yield* make(1)
      yield* Effect.exit(Stream.runDrain(breaker.stream("a", broken)))
      yield* TestClock.adjust("10 seconds")
      const endless = breaker.stream("a", Stream.forever(Stream.make(1)))
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(endless, 2)), [1, 1])
      const { probes, state } = yield* breaker.snapshot("a")
      assert.deepStrictEqual([state, probes, (yield* counts(breaker)).neutral], ["HalfOpen", 0, 1])
    }))
  it.effect("is neutral when it is interrupted", () =>
    Effect.gen(function*() {
      const breaker = yield* make(1)
      const fiber = yield* Effect.forkChild(Stream.runDrain(breaker.stream("a", Stream.never)), {
        startImmediately: true
      })
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual([yield* state(breaker), (yield* counts(breaker)).neutral], ["Closed", 1])
    }))
  it.effect("has nothing to do with a consumer that fails", () =>
    Effect.gen(function*() {
      const breaker = yield* make(1)
      const exit = yield* Effect.exit(
        Stream.runForEach(breaker.stream("a", Stream.make(1, 2)), () => Effect.fail("consumer"))
      )
      assert.deepStrictEqual([exit, yield* state(breaker)], [Exit.fail("consumer"), "Closed"])
    }))
  it.effect("guards each run of the same stream", () =>
    Effect.gen(function*() {
      const breaker = yield* make(2)
      const guarded = breaker.stream("a", broken)
      yield* Effect.exit(Stream.runDrain(guarded))
      assert.strictEqual(yield* state(breaker), "Closed")
      yield* Effect.exit(Stream.runDrain(guarded))
      assert.strictEqual(yield* state(breaker), "Open")
    }))
  it.effect("is never slow", () =>
    Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.make({
        name: "feed",
        trip: CircuitBreaker.slowCallRate({
          slowerThan: 1,
          slowThreshold: 1,
          minimumThroughput: 1,
          samplingDuration: "1 minute"
        }),
        breakDuration: "10 seconds"
      })
      const long = Stream.runDrain(breaker.stream("a", Stream.fromEffect(Effect.sleep("1 second"))))
      const fiber = yield* Effect.forkChild(long, { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual([yield* state(breaker), (yield* counts(breaker)).slow], ["Closed", 0])
    }))
  it.effect("can be classified", () =>
    Effect.gen(function*() {
      const breaker = yield* make(1)
      const guarded = breaker.stream("a", broken, { classify: () => "neutral" })
      yield* Effect.exit(Stream.runDrain(guarded))
      assert.deepStrictEqual([yield* state(breaker), (yield* counts(breaker)).neutral], ["Closed", 1])
    }))
})
