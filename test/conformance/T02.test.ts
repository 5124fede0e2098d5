import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schedule, Stream } from "effect"
import { CircuitBreaker, Fallback } from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"

const breaker = CircuitBreaker.make({
  name: "streams",
  trip: CircuitBreaker.consecutive(1),
  breakDuration: "1 minute"
})

/** A primary that delivers `a` and `b` and then does what it is told; and how often it was started. */
const primary = (then: () => Stream.Stream<string, string>) => {
  const started = { times: 0 }
  const stream = Stream.suspend(() => {
    started.times++
    return Stream.concat(Stream.make("a", "b"), Stream.suspend(then))
  })
  return { started, stream }
}

const lost = () => Stream.fail("connection lost")

describe("T02: the breaker guards streams, counts success at completion, and takes a consumer's leaving as neutral", () => {
  it.effect("with a limit of one failure, the second run never calls the primary", () =>
    Effect.gen(function*() {
      const { started, stream } = primary(lost)
      const told = Fallback.stream(stream, {
        name: "items",
        mode: "restart",
        breaker: yield* breaker,
        fallback: () => Stream.make("z")
      })
      assert.deepStrictEqual(yield* Stream.runCollect(told), ["a", "b", "z"])
      assert.deepStrictEqual(yield* Stream.runCollect(told), ["z"])
      assert.strictEqual(started.times, 1)
    }))
  it.effect("uses the fallback for an open circuit although the list does not name it", () =>
    Effect.gen(function*() {
      const { started, stream } = primary(lost)
      const told = Fallback.stream(stream, {
        name: "items",
        mode: "restart",
        on: (failure) => failure === "something else",
        breaker: yield* breaker,
        fallback: () => Stream.make("z")
      })
      assert.strictEqual(yield* Effect.flip(Stream.runCollect(told)), "connection lost")
      assert.deepStrictEqual(yield* Stream.runCollect(told), ["z"])
      assert.strictEqual(started.times, 1)
    }))
  it.effect("an item is no success: a half-open probe closes the circuit when the stream completes", () =>
    Effect.gen(function*() {
      const shared = yield* breaker
      const run = (then: () => Stream.Stream<string, string>) =>
        Fallback.stream(primary(then).stream, {
          name: "items",
          mode: "restart",
          breaker: shared,
          fallback: () => Stream.empty
        })
      const state = Effect.map(shared.snapshot("items"), (snapshot) => snapshot.state)
      yield* Stream.runDrain(run(lost))
      assert.strictEqual(yield* state, "Open")
      yield* TestClock.adjust("1 minute")
      const probe = yield* Effect.forkChild(
        Stream.runDrain(run(() => Stream.drain(Stream.fromEffect(Effect.sleep("5 seconds"))))),
        { startImmediately: true }
      )
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(yield* state, "HalfOpen")
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(probe)
      assert.strictEqual(yield* state, "Closed")
    }))
  it.effect("a consumer that takes enough, fails or is interrupted is neutral", () =>
    Effect.gen(function*() {
      const shared = yield* breaker
      const told = Fallback.stream(primary(() => Stream.never).stream, {
        name: "items",
        mode: "restart",
        breaker: shared,
        fallback: () => Stream.die("not asked")
      })
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(told, 1)), ["a"])
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Stream.runForEach(told, () => Effect.fail("consumer")))))
      const fiber = yield* Effect.forkChild(Stream.runDrain(told), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      const { counts, state } = yield* shared.snapshot("items")
      assert.strictEqual(state, "Closed")
      assert.deepStrictEqual([counts.success, counts.failure, counts.neutral], [0, 0, 3])
    }))
  it.effect("a key function that throws is the consumer's, not the source's", () =>
    Effect.gen(function*() {
      const shared = yield* breaker
      const told = Fallback.stream(primary(() => Stream.empty).stream, {
        name: "items",
        mode: {
          dedupeBy: () => {
            throw new Error("bug")
          }
        },
        breaker: shared,
        fallback: () => Stream.die("not asked")
      })
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Stream.runCollect(told))))
      assert.strictEqual((yield* shared.snapshot("items")).state, "Closed")
    }))
  it.effect("does not retry an open circuit", () =>
    Effect.gen(function*() {
      const { started, stream } = primary(lost)
      const shared = yield* breaker
      const told = Fallback.stream(stream, {
        name: "items",
        mode: { dedupeBy: (item: string) => item },
        breaker: shared,
        retry: Schedule.recurs(5),
        fallback: () => Stream.make("z")
      })
      assert.deepStrictEqual(yield* Stream.runCollect(told), ["a", "b", "z"])
      assert.strictEqual(started.times, 1)
      assert.strictEqual((yield* shared.snapshot("items")).counts.rejected, 1)
    }))
})
