import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Schema } from "effect"
import { Saga } from "effect-lifecycle/domain"
import { MemoryStore } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { dyingAt, until, work } from "../domain/support/sagas.ts"
import { pgTest } from "../postgres.ts"

class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}

/** Two steps with what undoes them and a third that fails, as a saga writes them. */
const writes = [
  "begin a",
  "done a",
  "begin b",
  "done b",
  "begin c",
  "failed c",
  "begin undo b",
  "undone b",
  "begin undo a",
  "undone a",
  "end"
]
/** The effect that has happened, and is not known to have, when the owner dies before this write. */
const doubtful: Readonly<Record<string, string>> = {
  "done a": "a",
  "done b": "b",
  "undone b": "undo-b",
  "undone a": "undo-a"
}

const owned = (name: string) => {
  const effects: Array<{ readonly what: string; readonly key: string }> = []
  const running = new Set<string>()
  let overlapping = 0
  const act = (what: string) => ({ key }: { readonly key: string }) =>
    Effect.gen(function*() {
      if (running.has(key)) overlapping++
      running.add(key)
      yield* Effect.yieldNow
      effects.push({ what, key })
      running.delete(key)
    })
  const saga = Saga.make({ name, input: Schema.Void, error: Refused })
    .step("a", { inDoubt: "repeat", run: act("a"), compensate: act("undo-a") })
    .step("b", { inDoubt: "repeat", run: act("b"), compensate: act("undo-b") })
    .step("c", { inDoubt: "repeat", run: () => new Refused() })
  return { effects, saga, overlapping: () => overlapping }
}

const layers = {
  MemoryStore: MemoryStore.layer,
  PgStore: PgStore.layer({ pollEvery: "20 millis" }).pipe(
    Layer.provideMerge(pgTest({ client: { maxConnections: 20 } }))
  )
}

describe("T23: a saga is claimed by lease and fencing token, a step's start is durable before its effect, doubt is resolved", () => {
  for (const [title, layer] of Object.entries(layers)) {
    it.live(
      `${title}: its owner dies at each write, and three recoverers end it with each step once`,
      () =>
        Effect.gen(function*() {
          for (const [index, write] of writes.entries()) {
            for (const when of ["before", "after"] as const) {
              const { effects, overlapping, saga } = owned(`${title}-${write}-${when}`)
              const dead = yield* Deferred.make<void>()
              yield* dyingAt(index + 1, when, dead, Saga.runner([saga], { lease: "100 millis", concurrency: 1 }))
              yield* Saga.start(saga, { id: "1", input: undefined })
              yield* Deferred.await(dead)
              const before = effects.map(({ what }) => what)
              const recoverers = [yield* work([saga]), yield* work([saga]), yield* work([saga])]
              const outcome = yield* Saga.wait(saga, "1")
              yield* Fiber.interruptAll(recoverers)
              const crash = `dead ${when} "${write}"`
              assert.deepInclude(outcome, { _tag: "Compensated", step: "c" }, crash)

              const twice = when === "before" ? doubtful[write] : undefined
              const expected = ["a", "b", "undo-b", "undo-a"].flatMap((what) => what === twice ? [what, what] : [what])
              assert.deepStrictEqual(effects.map(({ what }) => what), expected, crash)
              assert.strictEqual(new Set(effects.map(({ key }) => key)).size, 4, "a repeat has the key of the first")
              assert.strictEqual(overlapping(), 0, crash)
              // The effects of the dead owner were all in the journal before they happened.
              assert.deepStrictEqual(before, expected.slice(0, before.length), crash)
            }
          }
        }).pipe(Effect.scoped, Effect.provide(layer)),
      { timeout: 120_000 }
    )
  }

  it.live("without a way to resolve it, a step in doubt is parked and not run again", () =>
    Effect.gen(function*() {
      let ran = 0
      const saga = Saga.make({ name: "Parked", input: Schema.Void })
        .step("send", { run: () => Effect.sync(() => void ran++) })
      const dead = yield* Deferred.make<void>()
      yield* dyingAt(2, "before", dead, Saga.runner([saga], { lease: "100 millis", concurrency: 1 }))
      yield* Saga.start(saga, { id: "1", input: undefined })
      yield* Deferred.await(dead)
      yield* work([saga])
      assert.deepInclude(yield* Saga.wait(saga, "1"), { _tag: "Parked", reason: "InDoubt", step: "send" })
      assert.strictEqual(ran, 1)
      yield* Saga.resume(saga, "1", Saga.notHappened)
      assert.strictEqual((yield* Saga.wait(saga, "1"))._tag, "Completed")
      assert.strictEqual(ran, 2)
    }).pipe(Effect.scoped, Effect.provide(MemoryStore.layer)))

  it.live("many recoverers at once run each step of many sagas once", () =>
    Effect.gen(function*() {
      const { effects, overlapping, saga } = owned("Many")
      const ids = Array.from({ length: 40 }, (_, index) => String(index))
      yield* Effect.forEach(ids, (id) => Saga.start(saga, { id, input: undefined }))
      for (let worker = 0; worker < 5; worker++) yield* work([saga], { concurrency: 4 })
      yield* until(Effect.map(Saga.status(saga, "39"), ({ outcome }) => outcome !== undefined))
      for (const id of ids) assert.strictEqual((yield* Saga.wait(saga, id))._tag, "Compensated")
      assert.strictEqual(effects.length, 160)
      assert.strictEqual(new Set(effects.map(({ key }) => key)).size, 160)
      assert.strictEqual(overlapping(), 0)
    }).pipe(Effect.scoped, Effect.provide(MemoryStore.layer)))
})
