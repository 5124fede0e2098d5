/**
 * How sagas end, and why they wait: every end is one of its own, so that "undone" is never mistaken for "half undone".
 *
 * `Completed`, `Compensated` and `Cancelled` are clean: everything happened, or nothing is left of it. `Abandoned` was ended
 * by a person. `Parked` has not ended: it waits for a person, and `reason` says what for.
 *
 * | reason               | what happened                                                                              |
 * | -------------------- | ------------------------------------------------------------------------------------------ |
 * | `CompensationFailed` | a step could not be undone, after all its retries                                          |
 * | `InDoubt`            | nobody knows whether a step has happened                                                   |
 * | `StepFailed`         | a step failed for good behind the pivot, where there is no way back                        |
 * | `Exhausted`          | its owners ended, or could not go on, too often in a row                                   |
 * | `UnknownVersion`     | no definition here knows its version                                                       |
 * | `UnknownStep`        | the definition does not have its steps, or not in their order                              |
 * | `Undecodable`        | the definition cannot read its input or a result                                           |
 *
 * **Gotchas**
 *
 * - After a `CompensationFailed` the other steps are undone all the same, unless the saga says `stop`.
 * - `cause` holds the failures that the definition's `error` schema keeps; anything else is a defect there.
 *
 * @example
 * ```ts
 * import { Cause } from "effect"
 * import { SagaOutcome } from "effect-lifecycle/domain"
 * import assert from "node:assert/strict"
 *
 * const outcome: SagaOutcome.SagaOutcome<{}, string> = {
 *   _tag: "Compensated",
 *   step: "charge",
 *   cause: Cause.fail("declined")
 * }
 * assert.equal(SagaOutcome.isEnded(outcome), true)
 * ```
 *
 * @since 0.1.0
 */
import { type Cause, Schema } from "effect"

/**
 * Why a saga waits for a person.
 *
 * @category models
 * @since 0.1.0
 */
export const ParkReason = Schema.Literals([
  "CompensationFailed",
  "InDoubt",
  "StepFailed",
  "Exhausted",
  "UnknownVersion",
  "UnknownStep",
  "Undecodable"
])

/**
 * Why a saga waits for a person.
 *
 * @category models
 * @since 0.1.0
 */
export type ParkReason = typeof ParkReason.Type

/**
 * All steps are done.
 *
 * @category models
 * @since 0.1.0
 */
export interface Completed<out Results> {
  readonly _tag: "Completed"
  readonly results: Results
}

/**
 * A step failed, and all that had been done is undone.
 *
 * @category models
 * @since 0.1.0
 */
export interface Compensated<out E> {
  readonly _tag: "Compensated"
  /** The step that failed; `undefined` when the saga's time was up. */
  readonly step: string | undefined
  readonly cause: Cause.Cause<E>
}

/**
 * Somebody wanted it cancelled, and all that had been done is undone.
 *
 * @category models
 * @since 0.1.0
 */
export interface Cancelled {
  readonly _tag: "Cancelled"
  readonly reason: string
}

/**
 * It waits for a person: `Saga.resume` or `Saga.abandon`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Parked<out E> {
  readonly _tag: "Parked"
  readonly reason: ParkReason
  readonly step: string | undefined
  readonly message: string
  /** Why it was being undone, where it was. */
  readonly cause: Cause.Cause<E> | undefined
}

/**
 * A person has ended it as it was.
 *
 * @category models
 * @since 0.1.0
 */
export interface Abandoned {
  readonly _tag: "Abandoned"
  readonly reason: string
}

/**
 * How a saga has ended, or why it does not go on.
 *
 * @category models
 * @since 0.1.0
 */
export type SagaOutcome<Results, E> = Completed<Results> | Compensated<E> | Cancelled | Parked<E> | Abandoned

/**
 * The saga's `deadline` passed before its last step, and it was undone.
 *
 * @category errors
 * @since 0.1.0
 */
export class SagaOverdue extends Schema.TaggedError<SagaOverdue>()("SagaOverdue", {
  saga: Schema.String,
  id: Schema.String,
  deadlineMillis: Schema.Finite
}) {
  override get message(): string {
    return `The saga ${this.saga} "${this.id}" was not done within its ${this.deadlineMillis} ms, and is undone`
  }
}

/**
 * An id was started before, with another input or by another version.
 *
 * @category errors
 * @since 0.1.0
 */
export class SagaMismatch extends Schema.TaggedError<SagaMismatch>()("SagaMismatch", {
  saga: Schema.String,
  id: Schema.String
}) {
  override get message(): string {
    return `The saga ${this.saga} "${this.id}" was started before with another input. One id is one input: use another id`
  }
}

/**
 * What is stored of a saga is not what this definition can read.
 *
 * @category errors
 * @since 0.1.0
 */
export class SagaUnreadable extends Schema.TaggedError<SagaUnreadable>()("SagaUnreadable", {
  saga: Schema.String,
  id: Schema.String,
  version: Schema.Finite,
  reason: Schema.String
}) {
  override get message(): string {
    return `The saga ${this.saga} "${this.id}" of version ${this.version} cannot be read: ${this.reason}. Read it with the definition that it was started with`
  }
}

/**
 * There is no saga of this id.
 *
 * @category errors
 * @since 0.1.0
 */
export class SagaNotFound extends Schema.TaggedError<SagaNotFound>()("SagaNotFound", {
  saga: Schema.String,
  id: Schema.String
}) {
  override get message(): string {
    return `There is no saga ${this.saga} "${this.id}". It was never started, or it ended and was pruned`
  }
}

/**
 * Whether it has ended for good; a parked saga has not.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isEnded = (outcome: SagaOutcome<unknown, unknown>): boolean => outcome._tag !== "Parked"
