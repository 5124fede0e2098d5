import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Saga } from "effect-lifecycle/domain"
import { MemoryStore, SagaStore, UnitOfWork } from "effect-lifecycle/store"

const never = Schedule.recurs(0)

/** A saga whose `away` says how often the store of its step is away. */
const flaky = (name: string, away: () => boolean, ran: Array<number>) =>
  Saga.make({ name, input: Schema.Void }).step("write", {
    inDoubt: "repeat",
    run: () =>
      Effect.suspend(() => {
        ran.push(ran.length)
        return away()
          ? Effect.die(new UnitOfWork.StoreUnavailable({ operation: "append", reason: "connection refused" }))
          : Effect.void
      })
  })

const work = <const S extends ReadonlyArray<Saga.Any>>(sagas: S, options?: Saga.RunnerOptions) =>
  Effect.forkChild(Saga.runner(sagas, { drain: 0, ...options }), { startImmediately: true })

describe("T24: outcomes are distinct; a failure of the recovery stays eligible with backoff, then is parked in sight", () => {
  it.effect("every end and every reason to wait is one of its own", () =>
    Effect.gen(function*() {
      const saga = Saga.make({ name: "All", input: Schema.String, error: Schema.String, compensationRetry: never })
        .step("first", {
          run: ({ input }) => input === "doubt" ? Effect.die(new Error("lost")) : Effect.void,
          compensate: ({ input }) => input === "stuck" ? Effect.fail("no") : Effect.void
        })
        .step("second", { run: ({ input }) => input === "fine" ? Effect.void : Effect.fail("no") })
      yield* work([saga])
      const outcome = (input: string) => Saga.run(saga, { id: input, input })
      assert.strictEqual((yield* outcome("fine"))._tag, "Completed")
      assert.strictEqual((yield* outcome("fails"))._tag, "Compensated")
      assert.deepInclude(yield* outcome("stuck"), { _tag: "Parked", reason: "CompensationFailed" })
      assert.deepInclude(yield* outcome("doubt"), { _tag: "Parked", reason: "InDoubt" })
      yield* Saga.start(saga, { id: "cancelled", input: "fine", delay: "1 day" })
      yield* Saga.cancel(saga, "cancelled", "not needed")
      assert.strictEqual((yield* Saga.wait(saga, "cancelled"))._tag, "Cancelled")
      yield* Saga.abandon(saga, "stuck", "by hand")
      assert.strictEqual((yield* Saga.wait(saga, "stuck"))._tag, "Abandoned")
      const counts = yield* SagaStore.SagaStore.use((store) => store.count(["All"]))
      assert.deepStrictEqual(counts, {
        running: 0,
        compensating: 0,
        parked: 1,
        completed: 1,
        compensated: 1,
        cancelled: 1,
        abandoned: 1
      })
    }).pipe(Effect.provide(MemoryStore.layer)))

  it.effect("a store that was down once leaves the saga eligible, after a pause that grows", () =>
    Effect.gen(function*() {
      const ran: Array<number> = []
      const saga = flaky("Eligible", () => ran.length <= 3, ran)
      yield* work([saga])
      yield* Saga.start(saga, { id: "1", input: undefined })
      yield* TestClock.adjust(0)
      assert.strictEqual(ran.length, 1)
      const pauses = [1, 2, 4]
      for (const [index, seconds] of pauses.entries()) {
        yield* TestClock.adjust(seconds * 1000 - 1)
        assert.strictEqual(ran.length, index + 1, `not before ${seconds} s`)
        yield* TestClock.adjust(1)
        assert.strictEqual(ran.length, index + 2, `after ${seconds} s`)
      }
      assert.strictEqual((yield* Saga.wait(saga, "1"))._tag, "Completed")
    }).pipe(Effect.provide(MemoryStore.layer)))

  it.effect("after the most attempts it is parked where a person sees it, and goes on when told to", () =>
    Effect.gen(function*() {
      const ran: Array<number> = []
      let away = true
      const saga = flaky("Most", () => away, ran)
      yield* work([saga], { attempts: 3 })
      yield* Saga.start(saga, { id: "1", input: undefined })
      for (let minute = 0; minute < 10; minute++) yield* TestClock.adjust("1 minute")
      assert.strictEqual(ran.length, 3)
      const [waiting] = yield* Saga.parked()
      assert.deepInclude(waiting, { name: "Most", id: "1", reason: "Exhausted", step: "write" })
      assert.match(waiting?.message ?? "", /connection refused/)
      away = false
      yield* Saga.resume(saga, "1")
      assert.strictEqual((yield* Saga.wait(saga, "1"))._tag, "Completed")
      assert.deepStrictEqual(yield* Saga.parked(), [])
    }).pipe(Effect.provide(MemoryStore.layer)))
})
