/** What people do with sagas: look at them, and decide where a saga cannot. */
import { Cause, Effect } from "effect"
import * as Recorder from "../../lifecycle/Recorder.ts"
import {
  type Change,
  isEnded,
  type SagaRecord,
  SagaStore,
  type State,
  type StepChange,
  type StepState
} from "../../store/SagaStore.ts"
import type { StoreUnavailable } from "../../store/UnitOfWork.ts"
import { type ParkReason, SagaNotFound, type SagaOutcome, type SagaUnreadable } from "../SagaOutcome.ts"
import type { Any, Saga, SagaFailure } from "./sagaDefinition.ts"
import { cleaned } from "./sagaJournal.ts"
import { isBeyondPivot } from "./sagaPlan.ts"
import { outcomeOf } from "./sagaReading.ts"
import type { Resolution } from "./sagaStep.ts"

/**
 * Where a saga stands.
 *
 * @category models
 * @since 0.1.0
 */
export interface Status<Results, E> {
  readonly id: string
  readonly version: number
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
  Status<Results, SagaFailure<E>>,
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
      state,
      // What the definition has decoded has its types.
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
 * `found` says what a person has found out; without it the step's own policy is asked again. Answers `false` when the saga
 * is not parked, or when there is nothing in doubt to find.
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
  const again = steps.flatMap((step): ReadonlyArray<StepChange> => {
    if (step.state === "stuck") return [{ ...step, state: "undoWaiting", attempt: 0 }]
    if (step.state === "failed" && !backward) return [{ ...step, state: "waiting", attempt: 0 }]
    return []
  })
  const going: Change = {
    state: backward ? "compensating" : "running",
    steps: again,
    releaseMillis: 0,
    progress: true
  }
  if (found === undefined || doubtful === undefined) return going
  const step = driven.inner[doubtful.place]
  switch (found._tag) {
    case "Happened": {
      const result = step?.codec.encode(found.result)
      return { ...going, steps: [...again, { ...doubtful, state: "done", result, failure: undefined }] }
    }
    case "NotHappened":
      return { ...going, steps: [...again, { ...doubtful, state: "waiting", fallback: false }] }
    case "Failed": {
      const failure = driven.cause.encode(Cause.fail(found.error))
      const ended = [...again, { ...doubtful, state: "failed" as const, failure }]
      return isBeyondPivot(driven, steps)
        ? { ...going, steps: ended }
        : { ...going, steps: ended, state: "compensating", backward: true, failure }
    }
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
