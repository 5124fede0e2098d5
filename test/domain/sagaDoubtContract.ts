/** What a saga does about a step of which nobody knows whether it has happened; each layer runs the same suite. */
import { assert, describe, layer as testLayer } from "@effect/vitest"
import { Cause, Effect, type Layer, Schema } from "effect"
import { Saga } from "effect-lifecycle/domain"
import { EventStore } from "effect-lifecycle/store"
import { fresh, quick, type Stores, work } from "./support/sagas.ts"

export const sagaDoubtContract = <E>(title: string, layer: Layer.Layer<Stores, E>): void => {
  describe(title, () => {
    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("A saga in doubt", (it) => {
      it.effect("parks a step in doubt, runs it again, or looks it up, as the step says", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const definition = (name: string, inDoubt: "park" | "repeat" | "happened" | "not" | "failed") =>
            Saga.make({ name: `${name}-${inDoubt}`, input: Schema.Void, error: Schema.String }).step("send", {
              result: Schema.String,
              run: ({ attempt }) =>
                Effect.suspend(() => {
                  log.push(`${inDoubt} ${attempt}`)
                  return attempt === 1 ? Effect.die(new Error("connection reset")) : Effect.succeed("sent")
                }),
              inDoubt: inDoubt === "park" || inDoubt === "repeat" ? inDoubt : () =>
                Effect.succeed(
                  inDoubt === "happened"
                    ? Saga.happened("found")
                    : inDoubt === "not"
                    ? Saga.notHappened
                    : Saga.failed("refused")
                )
            })
          const name = fresh()
          const sagas = {
            park: definition(name, "park"),
            repeat: definition(name, "repeat"),
            happened: definition(name, "happened"),
            not: definition(name, "not"),
            failed: definition(name, "failed")
          }
          yield* work(Object.values(sagas), { backoff: quick })
          const outcomes = yield* Effect.forEach(
            Object.values(sagas),
            (saga) => Saga.run(saga, { id: "1", input: undefined })
          )
          assert.deepInclude(outcomes[0], { _tag: "Parked", reason: "InDoubt", step: "send" })
          assert.deepStrictEqual(outcomes.slice(1), [
            { _tag: "Completed", results: { send: "sent" } },
            { _tag: "Completed", results: { send: "found" } },
            { _tag: "Completed", results: { send: "sent" } },
            { _tag: "Compensated", step: "send", cause: Cause.fail("refused") }
          ])
          assert.deepStrictEqual(log, ["park 1", "repeat 1", "repeat 2", "happened 1", "not 1", "not 2", "failed 1"])
          assert.isTrue(yield* Saga.resume(sagas.park, "1", Saga.happened("by post")))
          assert.deepStrictEqual(yield* Saga.wait(sagas.park, "1"), {
            _tag: "Completed",
            results: { send: "by post" }
          })
        }))

      it.effect("has doubts about a step that takes longer than its timeout, and gives up after attempts", () =>
        Effect.gen(function*() {
          let ran = 0
          const saga = Saga.make({ name: fresh(), input: Schema.Void }).step("hangs", {
            timeout: "20 millis",
            inDoubt: "repeat",
            run: () => Effect.andThen(Effect.sync(() => void ran++), Effect.never)
          })
          yield* work([saga], { attempts: 3, backoff: quick })
          const outcome = yield* Saga.run(saga, { id: "1", input: undefined })
          assert.deepInclude(outcome, { _tag: "Parked", reason: "Exhausted", step: "hangs" })
          assert.match(outcome._tag === "Parked" ? outcome.message : "", /longer than 20ms/)
          assert.strictEqual(ran, 3)
        }))

      it.effect("writes a transactional step and its outcome together, so that it is never in doubt", () =>
        Effect.gen(function*() {
          const store = yield* EventStore.EventStore
          const stream = { category: fresh(), id: "1" }
          const saga = Saga.make({ name: stream.category, input: Schema.Void, error: Schema.String }).step("append", {
            transactional: true,
            run: ({ attempt }) =>
              store.append({ stream, expect: "any", events: [{ type: "Done", data: {} }] }).pipe(
                Effect.orDie,
                Effect.andThen(attempt === 1 ? Effect.die(new Error("bug")) : Effect.void)
              )
          })
          yield* work([saga], { backoff: quick })
          assert.strictEqual((yield* Saga.run(saga, { id: "1", input: undefined }))._tag, "Completed")
          assert.strictEqual(yield* store.version(stream), 1)
        }))
    })
  })
}
