/** What becomes of a saga that waits for a person: who may let it go on, and what those who wait are told then. */
import { assert, describe, layer as testLayer } from "@effect/vitest"
import { Effect, type Layer, Schedule, Schema } from "effect"
import { Saga } from "effect-lifecycle/domain"
import { UnitOfWork } from "effect-lifecycle/store"
import { fresh, quick, type Stores, work } from "./support/sagas.ts"

/** A step that nobody knows the end of while the line is cut, and the times it was tried. */
const line = () => {
  const at = { open: false, tried: 0 }
  const ring = () =>
    Effect.suspend(() => {
      at.tried++
      return at.open ? Effect.void : Effect.die(new Error("the line was cut"))
    })
  const saga = Saga.make({ name: fresh(), input: Schema.Int }).step("ring", { inDoubt: "repeat", run: ring })
  return { at, ring, saga }
}

/** One whose first step cannot be undone while the line is cut, and whose second one fails. */
const undone = (compensationRetry: Schedule.Schedule<unknown>) => {
  const { at, ring } = line()
  const saga = Saga.make({ name: fresh(), input: Schema.Int, error: Schema.String, compensationRetry })
    .step("ring", { run: () => Effect.void, compensate: ring })
    .step("talk", { run: () => Effect.fail("busy") })
  return { at, saga }
}

const patient = { attempts: 3, backoff: quick }
const start = { id: "1", input: 7 }
const resuming = { ...start, whenParked: "resume" } as const

export const sagaParkedContract = <E>(title: string, layer: Layer.Layer<Stores, E>): void => {
  describe(title, () => {
    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("A parked saga", (it) => {
      it.effect("waits on when it is started again, and is resumed by a start that says so", () =>
        Effect.gen(function*() {
          const { at, saga } = line()
          yield* work([saga], patient)
          assert.deepInclude(yield* Saga.run(saga, start), { _tag: "Parked", reason: "Exhausted", step: "ring" })
          assert.strictEqual(at.tried, 3)
          assert.deepInclude(yield* Saga.run(saga, start), { _tag: "Parked" })
          assert.strictEqual(at.tried, 3)

          // As often again as before, and then it waits again.
          assert.deepInclude(yield* Saga.run(saga, resuming), { _tag: "Parked", reason: "Exhausted" })
          assert.strictEqual(at.tried, 6)
          at.open = true
          assert.deepStrictEqual(yield* Saga.run(saga, resuming), { _tag: "Completed", results: { ring: undefined } })
          assert.strictEqual(at.tried, 7)
          assert.isFalse(yield* Saga.start(saga, resuming))
          assert.strictEqual(at.tried, 7)
        }))

      it.effect("is not resumed by a start with another input, or by one whose transaction is rolled back", () =>
        Effect.gen(function*() {
          const { at, saga } = line()
          yield* work([saga], patient)
          yield* Saga.run(saga, start)
          at.open = true
          assert.strictEqual((yield* Effect.flip(Saga.start(saga, { ...resuming, input: 8 })))._tag, "SagaMismatch")
          const unit = yield* UnitOfWork.UnitOfWork
          yield* Effect.exit(unit.run(Effect.andThen(Saga.start(saga, resuming), Effect.fail("no"))))
          assert.strictEqual((yield* Saga.status(saga, "1")).state, "parked")
          yield* unit.run(Saga.start(saga, resuming))
          assert.strictEqual((yield* Saga.wait(saga, "1"))._tag, "Completed")
        }))

      it.effect("once resumed, tells whoever waits of what comes and not of what was", () =>
        Effect.gen(function*() {
          const { at, saga } = line()
          yield* work([saga], patient)
          yield* Saga.run(saga, start)
          at.open = true
          yield* Saga.resume(saga, "1")
          assert.strictEqual((yield* Saga.waitUnlessDelayed(saga, "1"))._tag, "Completed")
        }))

      it.effect("says of a delay whether it is being undone", () =>
        Effect.gen(function*() {
          const { at, saga } = undone(Schedule.spaced("50 millis"))
          yield* work([saga])
          yield* Saga.start(saga, start)
          assert.deepInclude(yield* Saga.waitUnlessDelayed(saga, "1"), {
            _tag: "Delayed",
            step: "ring",
            backward: true
          })
          at.open = true
          assert.strictEqual((yield* Saga.wait(saga, "1"))._tag, "Compensated")
        }))

      it.effect("undoes again what could not be undone, once resumed", () =>
        Effect.gen(function*() {
          const { at, saga } = undone(Schedule.recurs(0))
          yield* work([saga])
          assert.deepInclude(yield* Saga.run(saga, start), { _tag: "Parked", reason: "CompensationFailed" })
          at.open = true
          yield* Saga.resume(saga, "1")
          assert.strictEqual((yield* Saga.waitUnlessDelayed(saga, "1"))._tag, "Compensated")
        }))

      it.effect("asks a person again, for the same reason, when nobody says what was found", () =>
        Effect.gen(function*() {
          const saga = Saga.make({ name: fresh(), input: Schema.Int }).step("send", {
            run: ({ attempt }) => attempt === 1 ? Effect.die(new Error("connection reset")) : Effect.void
          })
          yield* work([saga])
          const first = yield* Saga.run(saga, start)
          assert.deepInclude(first, { _tag: "Parked", reason: "InDoubt", step: "send" })
          assert.deepStrictEqual(yield* Saga.run(saga, resuming), first)
          assert.include(first._tag === "Parked" ? first.message : "", "connection reset")
          assert.isTrue(yield* Saga.resume(saga, "1", Saga.notHappened))
          assert.strictEqual((yield* Saga.waitUnlessDelayed(saga, "1"))._tag, "Completed")
        }))

      it.effect("says what it was started with", () =>
        Effect.gen(function*() {
          const { saga } = line()
          yield* Saga.start(saga, start)
          assert.strictEqual((yield* Saga.status(saga, "1")).input, 7)
          const other = Saga.make({ name: saga.name, input: Schema.Struct({ amount: Schema.Int }) })
            .step("ring", { run: () => Effect.void })
          assert.isUndefined((yield* Saga.status(other, "1")).input)
        }))
    })
  })
}
