/**
 * A business process of several steps that ends: everything happened, or everything that happened is undone, or a person is
 * asked. It outlives the process that runs it.
 *
 * `make(...).step(...)` defines one: typed steps in order, each with its result, what undoes it, its retries, its fallback,
 * and what to do when nobody knows whether it has happened. `layer` runs sagas on a store; `start`, `run` and `stream` begin
 * one under an id; `parked`, `resume`, `abandon` and `cancel` are for people.
 *
 * - The journal of a saga is in the store. That a step begins is written before it runs, and how it ended before the next
 *   one begins, so whoever takes over knows where it stands.
 * - A saga has one owner, for the time of a lease by the store's clock. When the owner dies, another takes over under a higher
 *   token; what the old one still writes is refused.
 * - A typed failure of a step says that nothing has happened: it is tried again by `retry`, then the steps before it are
 *   undone in reverse, each by `compensationRetry`. Waits are durable and hold no memory.
 * - A step whose process died, that died of a bug, took longer than its `timeout`, or whose store went away is in doubt.
 *   `inDoubt` decides: `park` (the default), `repeat` under the same `key`, or a look-up of your own. A `transactional` step
 *   writes its outcome in the transaction of what it does, and is never in doubt.
 * - What the request that starts it carries goes along into each step, also after a crash: its id, tenant, actor, trace and
 *   priority. Its deadline does not: a saga outlives who waits for it. {@link waitUnlessDelayed} is for who cannot.
 * - Ends are distinct: see `SagaOutcome`. What cannot go on is parked, where `parked` shows it, and never dropped.
 * - Steps have ids and definitions have versions. A journal that does not fit its definition is parked, never guessed.
 *
 * **Why not `effect/workflow`.** It was tried first: the same saga (`a`, `b`, and `c` that fails) as a `Workflow` with
 * `withCompensation` on a `SingleRunner` over PostgreSQL, its process killed with `kill -9` at each point and started again
 * (`test/faults/sagaCrash.test.ts`):
 *
 * | The process dies                   | on `effect/workflow`                        | here                                                |
 * | ---------------------------------- | ------------------------------------------- | --------------------------------------------------- |
 * | before the effect of a step        | the step runs                               | in doubt: parked, repeated or looked up             |
 * | after it, before its record        | the step runs again, and nobody is asked    | in doubt: parked, repeated or looked up             |
 * | the same, in a `transactional` one | not tried (`ClusterSchema.WithTransaction`) | the step runs; its effect was rolled back           |
 * | after the record                   | the next step runs                          | the next step runs                                  |
 * | before a compensation              | it runs, in reverse order                   | it runs, in reverse order                           |
 * | after one, before its record       | it runs again                               | it runs again, under the same key                   |
 * | Then:                              |                                             |                                                     |
 * | a compensation fails for good      | the entity restarts, no outcome in 60 s     | the others run; `Parked`, `CompensationFailed`      |
 * | the new code has renamed a step    | the step runs a second time                 | `Parked`, `UnknownStep`                             |
 * | what the caller is told            | `Failure`, however it ended                 | an outcome of its own for each end                  |
 *
 * At the points of a crash both are sound for steps that can be repeated. Doubt, parking, distinct ends and definitions that
 * changed are what a saga is for; they could not be added from outside, because the journal is the engine's. It also needs a
 * cluster's tables and shards, where this needs the store that a domain has anyway. For long-running code that is not undone,
 * with signals and timers of its own, use `effect/workflow`.
 *
 * **Gotchas**
 *
 * - Compensations can run more than once: let them do nothing the second time. `key` is the same then.
 * - The step that failed is not undone, because a typed failure says that there is nothing to undo.
 * - Do not block in a step without yielding: an owner that cannot renew its lease loses it while the step runs on.
 *   `token` lets a resource refuse what comes too late.
 * - `StoreUnavailable` is doubt, not failure: a commit may have happened before the connection was lost.
 * - A step is never interrupted to cancel a saga or because its deadline passed; give it a `timeout`.
 * - Steps run one after the other. Work that may run at once belongs into one step.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import { Saga } from "effect-lifecycle/domain"
 * import { MemoryStore } from "effect-lifecycle/store"
 * import assert from "node:assert/strict"
 *
 * class Declined extends Schema.TaggedError<Declined>()("Declined", {}) {}
 * const done: Array<string> = []
 * const note = (what: string) => Effect.sync(() => void done.push(what))
 *
 * const Checkout = Saga.make({ name: "Checkout", input: Schema.Struct({ amount: Schema.Int }), error: Declined })
 *   .step("reserve", {
 *     result: Schema.Struct({ code: Schema.String }),
 *     run: ({ id }) => Effect.as(note("reserve"), { code: `r-${id}` }),
 *     compensate: (_, { code }) => note(`release ${code}`)
 *   })
 *   .step("charge", {
 *     // In a service: Mediator.send(Charge, { amount: input.amount }, { commandId: key })
 *     run: ({ input }) => input.amount > 100 ? new Declined() : note("charge")
 *   })
 *
 * const layer = Saga.layer([Checkout]).pipe(Layer.provideMerge(MemoryStore.layer))
 * const program = Effect.gen(function*() {
 *   const small = yield* Saga.run(Checkout, { id: "o-1", input: { amount: 5 } })
 *   const large = yield* Saga.run(Checkout, { id: "o-2", input: { amount: 500 } })
 *   return [small._tag, large._tag]
 * })
 * assert.deepEqual(await Effect.runPromise(Effect.provide(program, layer)), ["Completed", "Compensated"])
 * assert.deepEqual(done, ["reserve", "charge", "reserve", "release r-o-2"])
 * ```
 *
 * @since 0.1.0
 */
export {
  type Delayed,
  type OnLeave,
  run,
  start,
  type StartOptions,
  stream,
  wait,
  waitUnlessDelayed
} from "./internal/saga/calls.ts"
export {
  type Any,
  failed,
  happened,
  make,
  notHappened,
  type Options,
  type Saga,
  type SagaFailure,
  type Services,
  type StepInfo
} from "./internal/saga/definition.ts"
export { abandon, cancel, parked, resume, type Status, status, type Waiting } from "./internal/saga/people.ts"
export type { Progress, StepDone } from "./internal/saga/reading.ts"
export { layer, runner, type RunnerOptions } from "./internal/saga/runner.ts"
export type { InDoubt, Resolution, StepContext, StepFallback, StepOptions } from "./internal/saga/step.ts"
