/** What a definition reads in the journal of one of its sagas. */
import { Cause, Effect } from "effect"
import { isEnded, type SagaRecord, type StepRecord } from "../../../store/SagaStore.ts"
import { ParkReason, type SagaOutcome, SagaUnreadable } from "../../SagaOutcome.ts"
import { decode, type Driven, Undecodable } from "./journal.ts"

/** How it has ended, or why it waits; `undefined` while it goes on. */
export const outcomeOf = (
  definition: Driven,
  saga: SagaRecord
): Effect.Effect<SagaOutcome<unknown, unknown> | undefined, SagaUnreadable> =>
  readable(saga, () => {
    const cause = () => saga.failure === undefined ? undefined : decode(definition.cause, saga.failure)
    switch (saga.state) {
      case "running":
      case "compensating":
        return undefined
      case "completed":
        return { _tag: "Completed", results: resultsOf(definition, saga) }
      case "compensated":
        return {
          _tag: "Compensated",
          step: saga.steps.find(({ state }) => state === "failed")?.step,
          cause: cause() ?? Cause.empty
        }
      case "cancelled":
        return { _tag: "Cancelled", reason: saga.wish ?? "" }
      case "abandoned":
        return { _tag: "Abandoned", reason: saga.wish ?? "" }
      case "parked": {
        const { message = "", reason, step } = saga.parked ?? {}
        const known = ParkReason.literals.find((literal) => literal === reason)
        // What cannot be decoded must not hide why it is parked.
        const why = known === "Undecodable" || known === "UnknownVersion" ? undefined : cause()
        return { _tag: "Parked", reason: known ?? "Undecodable", step, message, cause: why }
      }
    }
  })

/**
 * A step that has ended, one way or another, or the end of the saga.
 *
 * @category models
 * @since 0.1.0
 */
export type Progress<Results, E> =
  | StepDone<Results>
  | {
    /** `StepStuck` is a compensation that was given up. */
    readonly _tag: "StepFailed" | "StepUndone" | "StepStuck"
    readonly step: string
  }
  | { readonly _tag: "Ended"; readonly outcome: SagaOutcome<Results, E> }

/**
 * A step that is done, with its result.
 *
 * @category models
 * @since 0.1.0
 */
export type StepDone<Results> = {
  readonly [K in keyof Results]: {
    readonly _tag: "StepDone"
    readonly step: K
    readonly result: Results[K]
    /** Whether the fallback ran instead of the step. */
    readonly fallback: boolean
  }
}[keyof Results]

/** What has not been told of a saga; it is noted in `told`. A step that came back as far as undone was done before. */
export const progressOf = (
  definition: Driven,
  saga: SagaRecord,
  told: Set<string>
): Effect.Effect<ReadonlyArray<Progress<Record<string, unknown>, unknown>>, SagaUnreadable> =>
  Effect.gen(function*() {
    const progress: Array<Progress<Record<string, unknown>, unknown>> = []
    const once = (tag: string, step: string): boolean => {
      const key = `${tag}/${step}`
      if (told.has(key)) return false
      told.add(key)
      return true
    }
    for (const record of saga.steps) {
      const { fallback, state, step } = record
      if (state === "failed") {
        if (once("StepFailed", step)) progress.push({ _tag: "StepFailed", step })
      } else if (state !== "started" && state !== "waiting" && once("StepDone", step)) {
        const result = yield* readable(saga, () => read(definition, record))
        progress.push({ _tag: "StepDone", step, result, fallback })
      }
    }
    for (const { state, step } of saga.steps.toReversed()) {
      if (state === "undone" && once("StepUndone", step)) progress.push({ _tag: "StepUndone", step })
      if (state === "stuck" && once("StepStuck", step)) progress.push({ _tag: "StepStuck", step })
    }
    const outcome = yield* outcomeOf(definition, saga)
    // A definition gives its results under the ids of its steps.
    if (outcome !== undefined) {
      progress.push({ _tag: "Ended", outcome: outcome as SagaOutcome<Record<string, unknown>, unknown> })
    }
    return progress
  })

const readable = <A>(saga: SagaRecord, f: () => A): Effect.Effect<A, SagaUnreadable> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(f())
    } catch (error) {
      if (!(error instanceof Undecodable)) throw error
      const { id, name, version } = saga
      return Effect.fail(new SagaUnreadable({ saga: name, id, version, reason: error.message }))
    }
  })

/** Whether there is nothing more to wait for. */
export const isOver = ({ state }: SagaRecord): boolean => isEnded(state) || state === "parked"

const resultsOf = (definition: Driven, saga: SagaRecord): unknown =>
  Object.fromEntries(definition.inner.map(({ id }) => {
    const record = saga.steps.find(({ step }) => step === id)
    if (record === undefined) throw new Undecodable(`it has no step "${id}"`)
    return [id, read(definition, record)]
  }))

const read = (definition: Driven, { result, step }: StepRecord): unknown => {
  const codec = definition.inner.find(({ id }) => id === step)?.codec
  if (codec === undefined) throw new Undecodable(`the definition has no step "${step}"`)
  return result === undefined ? undefined : decode(codec, result)
}
