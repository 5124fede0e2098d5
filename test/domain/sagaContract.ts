/** What sagas promise over every store; each layer runs the same suite. */
import { assert, describe, layer as testLayer } from "@effect/vitest"
import {
  Cause,
  Clock,
  Deferred,
  Effect,
  Exit,
  Fiber,
  type Layer,
  Option,
  Predicate,
  Result,
  Schedule,
  Schema,
  Stream
} from "effect"
import { Saga } from "effect-lifecycle/domain"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Deadline, Priority, Propagation, RequestId, TraceContext } from "effect-lifecycle/request"
import { CircuitBreaker } from "effect-lifecycle/resilience"
import { EventMeta, EventStore, SagaStore, type StateStore, Tenant, UnitOfWork } from "effect-lifecycle/store"

export type Stores = EventStore.EventStore | SagaStore.SagaStore | StateStore.StateStore | UnitOfWork.UnitOfWork

export class Declined extends Schema.TaggedError<Declined>()("Declined", { why: Schema.String }) {}

let names = 0
/** A name nobody has used. */
export const fresh = (): string => `saga-${++names}`

export const quick = Schedule.spaced("1 millis")
const twice = Schedule.upTo(quick, { times: 1 })

/** Works on sagas until the test ends. */
export const work = <const S extends ReadonlyArray<Saga.Any>>(sagas: S, options?: Saga.RunnerOptions) =>
  Effect.forkChild(Saga.runner(sagas, { drain: 0, ...options }), { startImmediately: true })

export const until = <E, R>(condition: Effect.Effect<boolean, E, R>) =>
  condition.pipe(
    Effect.filterOrFail((holds) => holds, () => "not yet" as const),
    Effect.retry({ schedule: Schedule.spaced("5 millis"), while: (error) => error === "not yet" }),
    Effect.timeout("20 seconds")
  )

/** Three steps that note what they do; the last one fails when asked to. */
export const trip = (name = fresh(), log: Array<string> = []) => {
  const note = (what: string) => Effect.sync(() => void log.push(what))
  const saga = Saga.make({ name, input: Schema.Struct({ fail: Schema.Boolean }), error: Declined })
    .step("flight", {
      result: Schema.Struct({ seat: Schema.Int }),
      inDoubt: "repeat",
      run: ({ id }) => Effect.as(note(`flight ${id}`), { seat: 7 }),
      compensate: ({ id }, { seat }) => note(`undo flight ${id} seat ${seat}`)
    })
    .step("hotel", {
      inDoubt: "repeat",
      run: ({ results }) => note(`hotel for seat ${results.flight.seat}`),
      compensate: () => note("undo hotel")
    })
    .step("pay", {
      inDoubt: "repeat",
      run: ({ input }) => input.fail ? Effect.fail(new Declined({ why: "no money" })) : note("pay")
    })
  return { log, saga }
}

/**
 * Sagas with a worker whose process dies at its n-th write, before or after it: it writes nothing any more, and its time
 * stands still, so it does not renew its leases. Give `run` a concurrency of 1, so that it claims nothing more.
 */
export const dyingAt = <R>(
  write: number,
  when: "before" | "after",
  dead: Deferred.Deferred<void>,
  run: Effect.Effect<never, unknown, R>
): Effect.Effect<void, never, R | SagaStore.SagaStore> =>
  Effect.gen(function*() {
    const store = yield* SagaStore.SagaStore
    const clock = yield* Clock.Clock
    let writes = 0
    const die = Effect.andThen(Deferred.succeed(dead, undefined), Effect.never)
    const dying = SagaStore.SagaStore.of({
      ...store,
      work: (options) =>
        store.work({
          ...options,
          handle: (held) =>
            options.handle({
              ...held,
              write: (change) => {
                if (++writes !== write) return held.write(change)
                return when === "before" ? die : Effect.andThen(held.write(change), die)
              }
            })
        })
    })
    yield* run.pipe(
      Effect.provideService(SagaStore.SagaStore, dying),
      Effect.provideService(
        Clock.Clock,
        Object.assign(Object.create(clock) as Clock.Clock, { sleep: () => Effect.never })
      ),
      Effect.forkDetach({ startImmediately: true })
    )
  })

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
