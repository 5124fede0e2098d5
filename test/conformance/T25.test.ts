import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Saga } from "effect-lifecycle/domain"
import { MemoryStore } from "effect-lifecycle/store"

const work = <const S extends ReadonlyArray<Saga.Any>>(sagas: S, options?: Saga.RunnerOptions) =>
  Effect.forkChild(Saga.runner(sagas, { drain: 0, ...options }), { startImmediately: true })

const options = { name: "Order", input: Schema.Void } as const
const ok = { run: () => Effect.void }
/** A step that keeps its saga waiting, so that another definition can take it over. */
const slow = { inDoubt: "repeat" as const, run: () => Effect.never }

/** Runs it up to the step that waits, and stops its worker. */
const begun = (saga: Saga.Saga<string, void, {}, never, never> | Saga.Any & { readonly name: string }) =>
  Effect.gen(function*() {
    const first = yield* work([saga])
    yield* Saga.start(saga as Saga.Saga<string, void, {}, never, never>, { id: "1", input: undefined })
    yield* TestClock.adjust(0)
    yield* Fiber.interrupt(first)
  })

describe("T25: step ids are stable, a definition has a version, and duplicates do not build", () => {
  it.effect("the same ids in another definition go on where the first one stopped", () =>
    Effect.gen(function*() {
      const ran: Array<string> = []
      yield* begun(
        Saga.make(options).step("reserve", { run: () => Effect.sync(() => void ran.push("old")) }).step("pay", slow)
      )
      const Renamed = Saga.make(options)
        .step("reserve", { run: () => Effect.sync(() => void ran.push("new")) })
        .step("pay", { inDoubt: "repeat", run: () => Effect.sync(() => void ran.push("pay")) })
      yield* work([Renamed])
      assert.strictEqual((yield* Saga.wait(Renamed, "1"))._tag, "Completed")
      assert.deepStrictEqual(ran, ["old", "pay"])
    }).pipe(Effect.provide(MemoryStore.layer)))

  it.effect("a definition without a recorded step, or with another order, parks the saga and runs nothing", () =>
    Effect.gen(function*() {
      yield* begun(Saga.make(options).step("reserve", ok).step("pay", slow))
      let ran = 0
      const count = { run: () => Effect.sync(() => void ran++) }
      const Reordered = Saga.make(options).step("pay", count).step("reserve", count)
      const Gone = Saga.make(options).step("reserve", count).step("charge", count)
      for (const saga of [Reordered, Gone]) {
        const worker = yield* work([saga])
        const outcome = yield* Saga.wait(saga as typeof Gone, "1")
        assert.deepInclude(outcome, { _tag: "Parked", reason: "UnknownStep" })
        yield* Fiber.interrupt(worker)
        yield* Saga.resume(saga as typeof Gone, "1")
      }
      assert.strictEqual(ran, 0)
    }).pipe(Effect.provide(MemoryStore.layer)))

  it.effect("an old version is parked after a while, a newer one is left to those who know it", () =>
    Effect.gen(function*() {
      const One = Saga.make(options).step("pay", ok)
      const Two = Saga.make({ ...options, version: 2 }).step("check", ok).step("pay", ok)
      const Three = Saga.make({ ...options, version: 3 }).step("pay", ok)
      yield* Saga.start(One, { id: "old", input: undefined })
      yield* Saga.start(Three, { id: "new", input: undefined })
      const worker = yield* work([Two])
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual((yield* Saga.status(One, "old")).state, "running")
      yield* TestClock.adjust("2 minutes")
      const outcome = yield* Saga.wait(One, "old")
      assert.deepInclude(outcome, { _tag: "Parked", reason: "UnknownVersion" })
      assert.match(outcome._tag === "Parked" ? outcome.message : "", /Version 1 of the saga "Order" is not known here/)
      assert.strictEqual((yield* Saga.status(Three, "new")).state, "running")
      yield* Fiber.interrupt(worker)
      // With its own definition beside the new one it goes on.
      yield* work([One, Two, Three])
      yield* Saga.resume(One, "old")
      assert.strictEqual((yield* Saga.wait(One, "old"))._tag, "Completed")
      assert.strictEqual((yield* Saga.wait(Three, "new"))._tag, "Completed")
    }).pipe(Effect.provide(MemoryStore.layer)))

  it.effect("a version goes on with the steps of another one that says so", () =>
    Effect.gen(function*() {
      yield* begun(Saga.make(options).step("reserve", ok).step("pay", slow))
      const Two = Saga.make({ ...options, version: 2, continues: [1] })
        .step("reserve", ok)
        .step("pay", { inDoubt: "repeat", run: () => Effect.void })
        .step("tell", ok)
      yield* work([Two])
      assert.strictEqual((yield* Saga.wait(Two, "1"))._tag, "Completed")
      assert.deepStrictEqual((yield* Saga.status(Two, "1")).steps.map(({ step }) => step), ["reserve", "pay", "tell"])
    }).pipe(Effect.provide(MemoryStore.layer)))

  it.effect("a second step of one id, and a second definition of one version, do not build", () =>
    Effect.gen(function*() {
      const saga = Saga.make(options).step("pay", ok)
      // @ts-expect-error the id is taken
      assert.throws(() => saga.step("pay", ok), /an id that no other step of the saga has/)
      const error = yield* Effect.flip(Saga.runner([saga, Saga.make(options)]))
      assert.match(error.message, /two definitions of "Order" 1/)
    }).pipe(Effect.provide(MemoryStore.layer)))
})
