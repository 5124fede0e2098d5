import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Schema, Stream } from "effect"
import { Saga } from "effect-lifecycle/domain"
import { MemoryStore } from "effect-lifecycle/store"

/** A saga that waits in its second step until it is let go. */
const waiting = Effect.gen(function*() {
  const entered = yield* Deferred.make<void>()
  const go = yield* Deferred.make<void>()
  const log: Array<string> = []
  const note = (what: string) => Effect.sync(() => void log.push(what))
  const saga = Saga.make({ name: "Order", input: Schema.Void })
    .step("reserve", { run: () => note("reserve"), compensate: () => note("release") })
    .step("pay", {
      run: () => Effect.andThen(Deferred.succeed(entered, undefined), Effect.andThen(Deferred.await(go), note("pay"))),
      compensate: () => note("refund")
    })
    .step("ship", { run: () => note("ship") })
  return { entered, go: Deferred.succeed(go, undefined), log, saga }
})

/** The three ways to leave. */
const ways = {
  break: <A, E, R>(stream: Stream.Stream<A, E, R>) => Stream.runDrain(Stream.take(stream, 1)),
  throw: <A, E, R>(stream: Stream.Stream<A, E, R>) =>
    Stream.runForEach(stream, () => Effect.die(new Error("the consumer's bug"))),
  cancel: <A, E, R>(stream: Stream.Stream<A, E, R>) =>
    Effect.gen(function*() {
      const told = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkChild(Stream.runForEach(stream, () => Deferred.succeed(told, undefined)))
      yield* Deferred.await(told)
      yield* Fiber.interrupt(fiber)
    })
}

const live = { drain: 0 } as const
const gone = ["reserve", "pay", "refund", "release"]
const done = ["reserve", "pay", "ship"]

describe("T26: what becomes of a saga whose consumer leaves is a policy, never silence", () => {
  for (const [way, leave] of Object.entries(ways)) {
    it.effect(`${way}: detached, the saga goes on and ends`, () =>
      Effect.gen(function*() {
        const { go, log, saga } = yield* waiting
        yield* Effect.forkChild(Saga.runner([saga], live))
        yield* Effect.exit(leave(Saga.stream(saga, { id: "1", input: undefined, onLeave: "detach" })))
        yield* go
        assert.strictEqual((yield* Saga.wait(saga, "1"))._tag, "Completed")
        assert.deepStrictEqual(log, done)
      }).pipe(Effect.provide(MemoryStore.layer)))

    it.effect(`${way}: compensated, the saga is cancelled and undone`, () =>
      Effect.gen(function*() {
        const { entered, go, log, saga } = yield* waiting
        yield* Effect.forkChild(Saga.runner([saga], live))
        yield* Effect.exit(leave(Saga.stream(saga, { id: "1", input: undefined, onLeave: "compensate" })))
        yield* Deferred.await(entered)
        yield* go
        const outcome = yield* Saga.wait(saga, "1")
        assert.strictEqual(outcome._tag, "Cancelled")
        assert.match(
          outcome._tag === "Cancelled" ? outcome.reason : "",
          /its consumer (left|failed or was interrupted)/
        )
        assert.deepStrictEqual(log, gone)
      }).pipe(Effect.provide(MemoryStore.layer)))

    it.effect(`${way}: completed in the background, the worker does not stop before the saga has ended`, () =>
      Effect.gen(function*() {
        const { entered, go, log, saga } = yield* waiting
        const worker = yield* Effect.forkChild(Saga.runner([saga], live))
        yield* Effect.exit(leave(Saga.stream(saga, { id: "1", input: undefined, onLeave: "complete" })))
        yield* Deferred.await(entered)
        const stopping = yield* Effect.forkChild(Fiber.interrupt(worker))
        yield* Effect.yieldNow
        assert.isUndefined(stopping.pollUnsafe())
        yield* go
        yield* Fiber.join(stopping)
        assert.deepStrictEqual(log, done)
        assert.strictEqual((yield* Saga.wait(saga, "1"))._tag, "Completed")
      }).pipe(Effect.provide(MemoryStore.layer)))
  }

  it.effect("without that promise, a worker that stops leaves the step in doubt, in sight of the next one", () =>
    Effect.gen(function*() {
      const { entered, saga } = yield* waiting
      const worker = yield* Effect.forkChild(Saga.runner([saga], live))
      yield* Effect.exit(ways.break(Saga.stream(saga, { id: "1", input: undefined })))
      yield* Deferred.await(entered)
      yield* Fiber.interrupt(worker)
      yield* Effect.forkChild(Saga.runner([saga], live))
      assert.deepInclude(yield* Saga.wait(saga, "1"), { _tag: "Parked", reason: "InDoubt", step: "pay" })
    }).pipe(Effect.provide(MemoryStore.layer)))

  it.effect("a consumer that stays to the end leaves nothing behind", () =>
    Effect.gen(function*() {
      const { go, saga } = yield* waiting
      yield* Effect.forkChild(Saga.runner([saga], live))
      yield* go
      const exit = yield* Effect.exit(
        Stream.runDrain(Saga.stream(saga, { id: "1", input: undefined, onLeave: "compensate" }))
      )
      assert.isTrue(Exit.isSuccess(exit))
      assert.strictEqual((yield* Saga.wait(saga, "1"))._tag, "Completed")
    }).pipe(Effect.provide(MemoryStore.layer)))
})
