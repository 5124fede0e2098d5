/** What people do with sagas: look at them, and decide where a saga cannot. */
import { Cause, Effect, Exit, Option } from "effect"
import * as Recorder from "../../../lifecycle/Recorder.ts"
import {
  type Change,
  isEnded,
  type SagaRecord,
  SagaStore,
  type State,
  type StepChange,
  type StepRecord,
  type StepState
} from "../../../store/SagaStore.ts"
import type { StoreUnavailable } from "../../../store/UnitOfWork.ts"
import { type ParkReason, SagaNotFound, type SagaOutcome, type SagaUnreadable } from "../../SagaOutcome.ts"
import type { Any, Saga, SagaFailure } from "./definition.ts"
import { cleaned, type Driven } from "./journal.ts"
import { isBeyondPivot } from "./plan.ts"
import { outcomeOf } from "./reading.ts"
import type { Resolution } from "./step.ts"

/**
 * Where a saga stands.
 *
 * @category models
 * @since 0.1.0
 */
export interface Status<Input, Results, E> {
  readonly id: string
  readonly version: number
  /** What it was started with; `undefined` where this definition cannot read it. */
  readonly input: Input | undefined
  readonly state: State
  /** `undefined` while it goes on. */
  readonly outcome: SagaOutcome<Results, E> | undefined
  /** In the order in which they began. */
  readonly steps: ReadonlyArray<{
    readonly step: string
    readonly state: StepState
    readonly attempt: number
    readonly fallback: boolean
    readonly startedAt: Date
    readonly changedAt: Date
  }>
  readonly startedAt: Date
  readonly changedAt: Date
}

/**
 * A saga that waits for a person.
 *
 * @category models
 * @since 0.1.0
 */
export interface Waiting {
  readonly tenant: string
  readonly name: string
  readonly id: string
  readonly version: number
  readonly reason: ParkReason
  readonly step: string | undefined
  /** What happened, and what to do. */
  readonly message: string
  readonly since: Date
}

/**
 * Where a saga stands, step by step.
 *
 * @category combinators
 * @since 0.1.0
 */
export const status = <Name extends string, Input, Results, E, R>(
  saga: Saga<Name, Input, Results, E, R>,
  id: string
): Effect.Effect<
  Status<Input, Results, SagaFailure<E>>,
  StoreUnavailable | SagaNotFound | SagaUnreadable,
  SagaStore
> =>
  Effect.gen(function*() {
    const store = yield* SagaStore
    const record = yield* store.find({ name: saga.name, id })
    if (record === undefined) return yield* new SagaNotFound({ saga: saga.name, id })
    const { changedAt, startedAt, state, steps, version } = record
    return {
      id,
      version,
      // What the definition has decoded has its types.
      input: Option.getOrUndefined(Exit.getSuccess(saga.driven.input.decode(record.input))) as Input | undefined,
      state,
      outcome: (yield* outcomeOf(saga.driven, record)) as SagaOutcome<Results, SagaFailure<E>> | undefined,
      steps: steps.map(({ attempt, changedAt, fallback, startedAt, state, step }) => ({
        step,
        state,
        attempt,
        fallback,
        startedAt,
        changedAt
      })),
      startedAt,
      changedAt
    }
  })

/**
 * The sagas that wait for a person, of all tenants, the one that waits longest first; 100 at most when no limit is given.
 *
 * @category combinators
 * @since 0.1.0
 */
export const parked = (options: {
  /** Only these; all when absent. */
  readonly sagas?: ReadonlyArray<Any> | undefined
  readonly limit?: number | undefined
} = {}): Effect.Effect<ReadonlyArray<Waiting>, StoreUnavailable, SagaStore> =>
  Effect.gen(function*() {
    const store = yield* SagaStore
    const found = yield* store.list({
      names: options.sagas?.map(({ name }) => name),
      states: ["parked"],
      limit: options.limit
    })
    return found.flatMap(({ changedAt, id, name, parked, tenant, version }) =>
      parked === undefined ? [] : [{
        tenant,
        name,
        id,
        version,
        // Only this library parks, for reasons of its own.
        reason: parked.reason as ParkReason,
        step: parked.step,
        message: parked.message,
        since: changedAt
      }]
    )
  })

/**
 * Lets a parked saga of the ambient tenant go on: what failed is tried again from its first attempt. Of a step in doubt,
 * `found` says what a person has found out; without it the step's own policy is asked again, so that nothing is decided:
 * whoever repeats the command that began the saga may do so, and what cannot go on is parked again. Answers `false` when the
 * saga is not parked, or when there is nothing in doubt to find.
 *
 * @category combinators
 * @since 0.1.0
 */
export const resume = <Name extends string, Input, Results, E, R>(
  saga: Saga<Name, Input, Results, E, R>,
  id: string,
  found?: Resolution<Results[keyof Results], E>
): Effect.Effect<boolean, StoreUnavailable, SagaStore> =>
  SagaStore.use((store) =>
    store.amend({ name: saga.name, id }, ["parked"], (record) => Effect.sync(() => resumed(saga, record, found)))
  )

const resumed = (
  { driven }: Any,
  { backward, steps }: SagaRecord,
  found: Resolution<unknown, unknown> | undefined
): Change | undefined => {
  const doubtful = steps.find(({ state }) => state === "started")
  if (found !== undefined && doubtful === undefined) return undefined
  const going: Change = {
    state: backward ? "compensating" : "running",
    steps: steps.flatMap((step) => step === doubtful && found !== undefined ? [] : anew(driven, step, backward)),
    releaseMillis: 0,
    progress: true
  }
  if (found === undefined || doubtful === undefined) return going
  const ended = (change: Partial<StepChange>) => [...going.steps ?? [], { ...doubtful, ...change }]
  switch (found._tag) {
    case "Happened": {
      const result = driven.inner[doubtful.place]?.codec.encode(found.result)
      return { ...going, steps: ended({ state: "done", result, failure: undefined }) }
    }
    case "NotHappened":
      return { ...going, steps: ended({ state: "waiting", fallback: false, failure: undefined }) }
    case "Failed": {
      const failure = driven.cause.encode(Cause.fail(found.error))
      const failed = ended({ state: "failed", failure })
      return isBeyondPivot(driven, steps)
        ? { ...going, steps: failed }
        : { ...going, steps: failed, state: "compensating", backward: true, failure }
    }
  }
}

/** A step that goes on as if it had not failed before, so that whoever waits is told of what comes, not of what was. */
const anew = ({ inner }: Driven, step: StepRecord, backward: boolean): ReadonlyArray<StepChange> => {
  const again = { ...step, failure: undefined }
  switch (step.state) {
    case "stuck":
      return [{ ...again, state: "undoWaiting", attempt: 0 }]
    case "failed":
      return backward ? [] : [{ ...again, state: "waiting", attempt: 0 }]
    case "waiting":
    case "undoWaiting":
      return [again]
    case "started": {
      const { inDoubt = "park", transactional = false } = inner[step.place]?.options ?? {}
      // What its fallback, or the person who is asked once more, has to know.
      return step.fallback || (inDoubt === "park" && !transactional) ? [] : [again]
    }
    default:
      return []
  }
}

/**
 * Ends a parked saga of the ambient tenant as it is, and undoes nothing; `false` when it is not parked.
 *
 * @category combinators
 * @since 0.1.0
 */
export const abandon = (
  saga: Any,
  id: string,
  reason: string
): Effect.Effect<boolean, StoreUnavailable, SagaStore> =>
  Effect.gen(function*() {
    const store = yield* SagaStore
    let ageMillis = 0
    const done = yield* store.amend({ name: saga.name, id }, ["parked"], (record) =>
      Effect.sync(() => {
        ageMillis = record.changedAt.getTime() - record.startedAt.getTime()
        return { state: "abandoned" as const, wish: cleaned(reason), progress: true }
      }))
    if (done) {
      yield* Recorder.report(() => ({ _tag: "SagaEnded", saga: saga.name, outcome: "abandoned", ageMillis }))
    }
    return done
  })

/**
 * Undoes a saga of the ambient tenant that has not ended, once the step under way has ended: a step is never interrupted for
 * it. Answers `false` when there is no way back: it has ended, is being undone, or is behind its pivot.
 *
 * @category combinators
 * @since 0.1.0
 */
export const cancel = (
  saga: Any,
  id: string,
  reason: string
): Effect.Effect<boolean, StoreUnavailable, SagaStore> =>
  Effect.gen(function*() {
    const store = yield* SagaStore
    const key = { name: saga.name, id }
    const record = yield* store.find(key)
    if (record === undefined || isEnded(record.state) || record.backward) return false
    if (isBeyondPivot(saga.driven, record.steps)) return false
    const wish = cleaned(reason)
    if (yield* store.cancel(key, wish)) return true
    return yield* store.amend(key, ["parked"], ({ backward }) =>
      Effect.succeed(
        backward ? undefined : { state: "running" as const, wish, releaseMillis: 0, progress: true }
      ))
  })
