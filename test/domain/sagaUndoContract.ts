/** When a saga tries again, takes another way, or goes back; each layer runs the same suite. */
import { assert, describe, layer as testLayer } from "@effect/vitest"
import { Cause, Deferred, Effect, type Layer, Predicate, Schedule, Schema } from "effect"
import { Saga } from "effect-lifecycle/domain"
import { CircuitBreaker } from "effect-lifecycle/resilience"
import { fresh, quick, type Stores, trip, twice, work } from "./support/sagas.ts"

export const sagaUndoContract = <E>(title: string, layer: Layer.Layer<Stores, E>): void => {
  describe(title, () => {
    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("A saga whose step fails", (it) => {
      it.effect("tries a failed step again by its schedule, and only then goes back", () =>
        Effect.gen(function*() {
          const attempts: Array<number> = []
          const saga = Saga.make({ name: fresh(), input: Schema.Int, error: Schema.String }).step("flaky", {
            retry: Schedule.upTo(quick, { times: 3 }),
            run: ({ attempt, input }) =>
              Effect.suspend(() => {
                attempts.push(attempt)
                return attempt > input ? Effect.void : Effect.fail(`no ${attempt}`)
              })
          })
          yield* work([saga])
          assert.strictEqual((yield* Saga.run(saga, { id: "1", input: 2 }))._tag, "Completed")
          const outcome = yield* Saga.run(saga, { id: "2", input: 9 })
          assert.deepStrictEqual(outcome, { _tag: "Compensated", step: "flaky", cause: Cause.fail("no 4") })
          assert.deepStrictEqual(attempts, [1, 2, 3, 1, 2, 3, 4])
        }))

      it.effect("tells whoever cannot wait that it goes on later, and ends all the same", () =>
        Effect.gen(function*() {
          let open = false
          const saga = Saga.make({ name: fresh(), input: Schema.Void }).step("ring", {
            inDoubt: "repeat",
            run: () => Effect.suspend(() => open ? Effect.void : Effect.die(new Error("the line was cut")))
          })
          yield* work([saga], { backoff: Schedule.spaced("50 millis"), attempts: 100 })
          yield* Saga.start(saga, { id: "1", input: undefined })
          const delayed = yield* Saga.waitUnlessDelayed(saga, "1")
          assert.deepInclude(delayed, { _tag: "Delayed", step: "ring" })
          assert.include(delayed._tag === "Delayed" ? delayed.message : "", "the line was cut")
          open = true
          assert.strictEqual((yield* Saga.wait(saga, "1"))._tag, "Completed")
          assert.strictEqual((yield* Saga.waitUnlessDelayed(saga, "1"))._tag, "Completed")
        }))

      it.effect("tries a compensation again, undoes the rest all the same, and parks what could not be undone", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          let broken = true
          const saga = Saga.make({ name: fresh(), input: Schema.Void, error: Schema.String, compensationRetry: twice })
            .step("a", { run: () => Effect.void, compensate: () => Effect.sync(() => log.push("undo a")) })
            .step("b", {
              run: () => Effect.void,
              compensate: ({ key }) =>
                Effect.suspend(() => {
                  log.push(`undo b as ${key.split("/").slice(2).join("/")}`)
                  return broken ? Effect.fail("stuck") : Effect.void
                })
            })
            .step("c", { run: () => Effect.fail("no") })
          yield* work([saga])
          const outcome = yield* Saga.run(saga, { id: "1", input: undefined })
          assert.deepInclude(outcome, { _tag: "Parked", reason: "CompensationFailed", step: "b" })
          assert.deepStrictEqual(log, ["undo b as b/compensate", "undo b as b/compensate", "undo a"])
          const [waiting] = yield* Saga.parked({ sagas: [saga] })
          assert.match(waiting?.message ?? "", /"b" could not be undone: .*stuck/)
          broken = false
          assert.isTrue(yield* Saga.resume(saga, "1"))
          assert.deepInclude(yield* Saga.wait(saga, "1"), { _tag: "Compensated", step: "c" })
          assert.strictEqual(log.length, 4)
          assert.isFalse(yield* Saga.resume(saga, "1"))
        }))

      it.effect("stops at a compensation that failed where it is told to", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const saga = Saga.make({
            name: fresh(),
            input: Schema.Void,
            error: Schema.String,
            compensationRetry: Schedule.recurs(0),
            whenCompensationFails: "stop"
          })
            .step("a", { run: () => Effect.void, compensate: () => Effect.sync(() => log.push("undo a")) })
            .step("b", { run: () => Effect.void, compensate: () => Effect.fail("stuck") })
            .step("c", { run: () => Effect.fail("no") })
          yield* work([saga])
          const outcome = yield* Saga.run(saga, { id: "1", input: undefined })
          assert.deepInclude(outcome, { _tag: "Parked", reason: "CompensationFailed" })
          assert.deepStrictEqual(log, [])
          assert.isTrue(yield* Saga.abandon(saga, "1", "settled by phone"))
          assert.deepStrictEqual(yield* Saga.wait(saga, "1"), { _tag: "Abandoned", reason: "settled by phone" })
        }))

      it.effect("asks the fallback, undoes only what ran, and stops asking what an open circuit guards", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const note = (what: string) => Effect.sync(() => void log.push(what))
          const breaker = yield* CircuitBreaker.make({
            name: "sagas",
            trip: CircuitBreaker.consecutive(2),
            breakDuration: "1 hour"
          })
          const saga = Saga.make({ name: fresh(), input: Schema.Boolean, error: Schema.String })
            .step("charge", {
              result: Schema.String,
              breaker,
              run: () => Effect.andThen(note("card"), Effect.fail("card down")),
              compensate: () => note("refund card"),
              fallback: {
                run: (_, cause) => {
                  const why = Cause.squash(cause)
                  return Effect.as(note(`invoice: ${Predicate.isTagged(why, "CircuitOpen") ? "open" : why}`), "invoice")
                },
                compensate: (_, result) => note(`void ${result}`)
              }
            })
            .step("ship", { run: ({ input }) => input ? Effect.fail("no stock") : Effect.void })
          yield* work([saga])
          assert.deepInclude(yield* Saga.run(saga, { id: "1", input: false }), { _tag: "Completed" })
          assert.deepInclude(yield* Saga.run(saga, { id: "2", input: true }), { _tag: "Compensated", step: "ship" })
          assert.deepStrictEqual(log.splice(0), [
            "card",
            "invoice: card down",
            "card",
            "invoice: card down",
            "void invoice"
          ])
          yield* Saga.run(saga, { id: "3", input: false })
          assert.deepStrictEqual(log, ["invoice: open"])
          assert.isTrue((yield* Saga.status(saga, "3")).steps[0]?.fallback)
        }))

      it.effect("does not go back behind its pivot", () =>
        Effect.gen(function*() {
          let stock = false
          const log: Array<string> = []
          const saga = Saga.make({ name: fresh(), input: Schema.Void, error: Schema.String })
            .step("sell", {
              pivot: true,
              run: () => Effect.void,
              compensate: () => Effect.sync(() => log.push("undo"))
            })
            .step("ship", { run: () => stock ? Effect.void : Effect.fail("no stock") })
          yield* work([saga])
          const outcome = yield* Saga.run(saga, { id: "1", input: undefined })
          assert.deepInclude(outcome, { _tag: "Parked", reason: "StepFailed", step: "ship" })
          assert.isFalse(yield* Saga.cancel(saga, "1", "too late"))
          stock = true
          yield* Saga.resume(saga, "1")
          assert.strictEqual((yield* Saga.wait(saga, "1"))._tag, "Completed")
          assert.deepStrictEqual(log, [])
        }))

      it.effect("is cancelled between its steps and undone, and is undone when its time is up", () =>
        Effect.gen(function*() {
          const entered = yield* Deferred.make<void>()
          const go = yield* Deferred.make<void>()
          const { log, saga } = trip()
          const slow = Saga.make({ name: fresh(), input: Schema.Void, deadline: "100 millis" })
            .step("a", {
              run: () => Effect.andThen(Deferred.succeed(entered, undefined), Deferred.await(go)),
              compensate: () => Effect.sync(() => log.push("undo a"))
            })
            .step("b", { run: () => Effect.sync(() => void log.push("b")) })
          yield* work([saga, slow])
          yield* Saga.start(saga, { id: "later", input: { fail: false }, delay: "1 hour" })
          assert.isTrue(yield* Saga.cancel(saga, "later", "not needed"))
          assert.deepStrictEqual(yield* Saga.wait(saga, "later"), { _tag: "Cancelled", reason: "not needed" })
          yield* Saga.start(slow, { id: "1", input: undefined })
          yield* Deferred.await(entered)
          yield* Effect.sleep("150 millis")
          yield* Deferred.succeed(go, undefined)
          const outcome = yield* Saga.wait(slow, "1")
          assert.isTrue(outcome._tag === "Compensated" && outcome.step === undefined)
          assert.match(outcome._tag === "Compensated" ? String(Cause.squash(outcome.cause)) : "", /not done within/)
          assert.deepStrictEqual(log, ["undo a"])
          assert.isFalse(yield* Saga.cancel(saga, "later", "again"))
        }))
    })
  })
}
