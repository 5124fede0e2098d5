/** What a saga does about a step of which nobody knows whether it has happened; each layer runs the same suite. */
import { assert, describe, layer as testLayer } from "@effect/vitest"
import { Cause, Deferred, Effect, Layer, Schema } from "effect"
import { Command, Domain, Mediator, Saga } from "effect-lifecycle/domain"
import { EventStore, type IdempotencyStore } from "effect-lifecycle/store"
import { Declined, fresh, quick, type Stores, until, work } from "./support/sagas.ts"

/** The checkout of the room's README, whose first attempt to charge is left in doubt. */
const checkout = (doubt: "repeat" | "running") => {
  const payload = { order: Schema.String }
  const Charge = Command.make(`cards.${fresh()}`, { payload, success: Schema.Int, error: Declined })
  const charges: Array<string> = []
  const open = Deferred.makeUnsafe<void>()
  const commands = Domain.toLayer([
    Domain.idempotent(Domain.handler(Charge, ({ order }) =>
      Effect.andThen(
        Effect.sync(() => void charges.push(order)),
        doubt === "running" ? Effect.as(Deferred.await(open), 1) : Effect.succeed(1)
      )))
  ])
  const saga = Saga.make({ name: fresh(), input: Schema.Struct(payload), error: Charge.errorSchema })
    .step("charge", {
      result: Schema.Int,
      inDoubt: "repeat",
      run: ({ attempt, input, key }) => {
        const send = Mediator.send(Charge, input, { commandId: key })
        if (attempt > 1) return send
        return doubt === "repeat"
          // It has happened, and its answer is lost.
          ? Effect.andThen(send, Effect.die(new Error("connection reset")))
          // Its caller is gone, and it goes on.
          : Effect.andThen(Effect.forkDetach(send, { startImmediately: true }), send)
      }
    })
  return { charges, commands, open, saga }
}

export const sagaDoubtContract = <E>(
  title: string,
  layer: Layer.Layer<Stores | IdempotencyStore.IdempotencyStore, E>
): void => {
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

      it.effect("charges once, when a step that is repeated sends an idempotent command under its key", () =>
        Effect.gen(function*() {
          const { charges, commands, saga } = checkout("repeat")
          yield* work([saga], { backoff: quick }).pipe(Effect.provide(commands))
          const outcome = yield* Saga.run(saga, { id: "o-1", input: { order: "o-1" } })
          assert.deepStrictEqual(outcome, { _tag: "Completed", results: { charge: 1 } })
          assert.deepStrictEqual(charges, ["o-1"])
        }))

      it.effect("neither fails nor undoes a step whose command is still running elsewhere", () =>
        Effect.gen(function*() {
          const { charges, commands, open, saga } = checkout("running")
          const handlers = yield* Layer.build(commands)
          yield* work([saga], { attempts: 1000, backoff: quick }).pipe(Effect.provideContext(handlers))
          yield* Saga.start(saga, { id: "o-1", input: { order: "o-1" } })
          yield* until(Effect.map(Saga.waitUnlessDelayed(saga, "o-1"), ({ _tag }) => _tag === "Delayed"))
          assert.deepStrictEqual(charges, ["o-1"])
          yield* Deferred.succeed(open, undefined)
          assert.deepStrictEqual(yield* Saga.wait(saga, "o-1"), { _tag: "Completed", results: { charge: 1 } })
          assert.deepStrictEqual(charges, ["o-1"])
        }))
    })
  })
}
