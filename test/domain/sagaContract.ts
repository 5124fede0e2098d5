/** What sagas promise over every store; each layer runs the same suite. */
import { assert, describe, layer as testLayer } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, type Layer, Option, Result, Schema, Stream } from "effect"
import { Saga } from "effect-lifecycle/domain"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Deadline, Priority, Propagation, RequestId, TraceContext } from "effect-lifecycle/request"
import { EventMeta, SagaStore, Tenant, UnitOfWork } from "effect-lifecycle/store"
import { Declined, fresh, type Stores, trip, until, work } from "./support/sagas.ts"

export const sagaContract = <E>(title: string, layer: Layer.Layer<Stores, E>): void => {
  describe(title, () => {
    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("Saga", (it) => {
      it.effect("runs its steps in order, hands results on, and is completed", () =>
        Effect.gen(function*() {
          const { log, saga } = trip()
          yield* work([saga])
          assert.deepStrictEqual(yield* Saga.run(saga, { id: "1", input: { fail: false } }), {
            _tag: "Completed",
            results: { flight: { seat: 7 }, hotel: undefined, pay: undefined }
          })
          assert.deepStrictEqual(log, ["flight 1", "hotel for seat 7", "pay"])
        }))

      it.effect("undoes in reverse what was done, and says what for, typed", () =>
        Effect.gen(function*() {
          const { log, saga } = trip()
          yield* work([saga])
          const outcome = yield* Saga.run(saga, { id: "1", input: { fail: true } })
          assert.deepStrictEqual(outcome, {
            _tag: "Compensated",
            step: "pay",
            cause: Cause.fail(new Declined({ why: "no money" }))
          })
          assert.deepStrictEqual(log, ["flight 1", "hotel for seat 7", "undo hotel", "undo flight 1 seat 7"])
          const { outcome: again, state, steps } = yield* Saga.status(saga, "1")
          assert.deepStrictEqual([again, state], [outcome, "compensated"])
          assert.deepStrictEqual(steps.map(({ state, step }) => [step, state]), [
            ["flight", "undone"],
            ["hotel", "undone"],
            ["pay", "failed"]
          ])
        }))

      it.effect("is started once for an id, and not with another input", () =>
        Effect.gen(function*() {
          const { log, saga } = trip()
          const start = (fail: boolean) => Saga.start(saga, { id: "1", input: { fail } })
          assert.deepStrictEqual(yield* Effect.all([start(false), start(false)]), [true, false])
          assert.strictEqual((yield* Effect.flip(start(true)))._tag, "SagaMismatch")
          yield* work([saga])
          yield* Saga.wait(saga, "1")
          assert.isFalse(yield* start(false))
          assert.strictEqual(log.length, 3)
          assert.strictEqual((yield* Effect.flip(Saga.wait(saga, "2")))._tag, "SagaNotFound")
          assert.strictEqual(
            (yield* Effect.flip(Saga.start(saga, { id: "", input: { fail: false } })))._tag,
            "InvalidSaga"
          )
        }))

      it.effect("begins after the commit of the transaction that starts it, and not at all after a rollback", () =>
        Effect.gen(function*() {
          const { log, saga } = trip()
          yield* work([saga])
          const unit = yield* UnitOfWork.UnitOfWork
          yield* unit.run(Effect.gen(function*() {
            yield* Saga.start(saga, { id: "kept", input: { fail: false } })
            yield* Effect.sleep("100 millis")
            assert.deepStrictEqual(log, [])
          }))
          yield* Saga.wait(saga, "kept")
          yield* Effect.exit(unit.run(Effect.andThen(
            Saga.start(saga, { id: "dropped", input: { fail: false } }),
            Effect.fail("changed my mind")
          )))
          assert.strictEqual((yield* Effect.flip(Saga.status(saga, "dropped")))._tag, "SagaNotFound")
          const inside = yield* Effect.exit(unit.run(Saga.run(saga, { id: "x", input: { fail: false } })))
          assert.isTrue(Exit.isFailure(inside) && Cause.hasDies(inside.cause))
        }))

      it.effect("works for the tenant, request and process that started it, with a key for each step", () =>
        Effect.gen(function*() {
          const seen: Array<unknown> = []
          let headers: Readonly<Record<string, string>> = {}
          const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
          const traceparent = `00-${traceId}-00f067aa0ba902b7-01`
          const saga = Saga.make({ name: fresh(), input: Schema.Void }).step("look", {
            run: ({ key, token }) =>
              Effect.gen(function*() {
                seen.push(yield* Tenant.Current, key, token, yield* EventMeta.current)
                headers = yield* Propagation.inject()
              })
          })
          yield* work([saga])
          const within = Tenant.within("acme")
          yield* Saga.start(saga, { id: "1", input: undefined }).pipe(
            Effect.provideService(RequestId.Current, RequestId.parse("req-1")),
            Effect.provideService(EventMeta.Actor, Option.some("ada")),
            Effect.provideService(
              TraceContext.Current,
              Result.getSuccess(TraceContext.parse(traceparent, "vendor=1"))
            ),
            Effect.provideService(Priority.Current, "low"),
            Effect.provideService(
              Deadline.Current,
              Option.some(Deadline.make({ duration: "1 minute", startedAtNanos: 0n }))
            ),
            within
          )
          yield* within(Saga.wait(saga, "1"))
          const key = `${saga.name}/1/look`
          assert.deepStrictEqual(seen, ["acme", key, 1n, {
            requestId: "req-1",
            correlationId: "req-1",
            causationId: key,
            actor: "ada",
            traceId
          }])
          // Whoever waits has a deadline; the saga does not.
          assert.deepEqual({ ...headers }, {
            traceparent,
            tracestate: "vendor=1",
            "x-request-id": "req-1",
            "x-request-priority": "low"
          })
          assert.strictEqual((yield* Effect.flip(Saga.status(saga, "1")))._tag, "SagaNotFound")
        }))

      it.effect("tells its steps as they end, and the end", () =>
        Effect.gen(function*() {
          const { saga } = trip()
          yield* work([saga])
          const told = yield* Stream.runCollect(Saga.stream(saga, { id: "1", input: { fail: true } }))
          assert.deepStrictEqual(
            told.map((one) => one._tag === "Ended" ? one.outcome._tag : `${one._tag} ${String(one.step)}`),
            [
              "StepDone flight",
              "StepDone hotel",
              "StepFailed pay",
              "StepUndone hotel",
              "StepUndone flight",
              "Compensated"
            ]
          )
        }))

      it.effect("reports its steps and its end", () =>
        Effect.gen(function*() {
          const seen: Array<string> = []
          const { saga } = trip()
          yield* work([saga]).pipe(Recorder.recordTo((report) => {
            if (report._tag === "SagaStepEnded") seen.push(`${report.action} ${report.step}: ${report.outcome}`)
            if (report._tag === "SagaEnded") seen.push(report.outcome)
          }))
          yield* Saga.run(saga, { id: "1", input: { fail: true } })
          yield* until(Effect.sync(() => seen.length === 6))
          assert.deepStrictEqual(seen, [
            "run flight: success",
            "run hotel: success",
            "run pay: failure",
            "compensate hotel: success",
            "compensate flight: success",
            "compensated"
          ])
        }))

      it.effect("keeps what it has ended until it is pruned", () =>
        Effect.gen(function*() {
          const { saga } = trip()
          const store = yield* SagaStore.SagaStore
          yield* work([saga])
          yield* Saga.run(saga, { id: "1", input: { fail: false } })
          assert.strictEqual((yield* store.count([saga.name])).completed, 1)
          yield* store.prune("1 hour")
          assert.strictEqual((yield* store.count([saga.name])).completed, 1)
          yield* Effect.sleep("5 millis")
          assert.isAbove(yield* store.prune(0), 0)
          assert.strictEqual((yield* Effect.flip(Saga.status(saga, "1")))._tag, "SagaNotFound")
        }))

      it.effect("refuses the write of an owner that has lost the saga", () =>
        Effect.gen(function*() {
          const name = fresh()
          const store = yield* SagaStore.SagaStore
          const got: Array<SagaStore.Held> = []
          const owner = yield* Effect.forkChild(store.work({
            definitions: [{ name, version: 1 }],
            drain: 0,
            handle: (held) => Effect.andThen(Effect.sync(() => void got.push(held)), Effect.never)
          }))
          yield* store.start({ name, id: "1", version: 1, input: "{}" })
          yield* until(Effect.sync(() => got.length === 1))
          yield* Fiber.interrupt(owner)
          yield* Effect.forkChild(store.work({
            definitions: [{ name, version: 1 }],
            drain: 0,
            handle: (held) => Effect.andThen(Effect.sync(() => void got.push(held)), Effect.never)
          }))
          yield* until(Effect.sync(() => got.length === 2))
          const [first, second] = got
          assert.isUndefined(yield* (first as SagaStore.Held).write({ state: "completed", progress: true }))
          assert.strictEqual((yield* store.find({ name, id: "1" }))?.state, "running")
          assert.isDefined(yield* (second as SagaStore.Held).write({ state: "completed", progress: true }))
          assert.strictEqual((yield* store.find({ name, id: "1" }))?.state, "completed")
        }))
    })
  })
}
