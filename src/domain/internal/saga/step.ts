/** The parts of a saga's definition. */
import type { Cause, Duration, Effect, Schedule, Schema } from "effect"
import type { CircuitOpen } from "../../../resilience/CircuitBreaker.ts"
import type * as Fallback from "../../../resilience/Fallback.ts"
import type { TextCodec } from "./codec.ts"

/**
 * What a step is told.
 *
 * @category models
 * @since 0.1.0
 */
export interface StepContext<out Input, out Results> {
  /** The saga's. */
  readonly id: string
  readonly input: Input
  /** What the steps before this one have answered, by their ids. */
  readonly results: Results
  /**
   * The same for every attempt of this step of this saga, and another for its fallback and its compensation: give it to
   * whatever can tell repeats apart, such as `commandId` of `Mediator.send` or an `Idempotency-Key`.
   */
  readonly key: string
  /** From 1. */
  readonly attempt: number
  /** Rises whenever another owner takes the saga: a resource that knows fencing can refuse the smaller one. */
  readonly token: bigint
}

/**
 * What somebody who looked has found out about a step in doubt.
 *
 * @category models
 * @since 0.1.0
 */
export type Resolution<A, E> =
  | { readonly _tag: "Happened"; readonly result: A }
  | { readonly _tag: "NotHappened" }
  | { readonly _tag: "Failed"; readonly error: E }

/**
 * What happens with a step that began and whose end nobody knows, because its process died, it took longer than its
 * `timeout`, or it died of a bug: a person decides (`park`), it runs again under the same key (`repeat`), or it is looked up.
 *
 * @category models
 * @since 0.1.0
 */
export type InDoubt<C, A, E, R> = "park" | "repeat" | ((context: C) => Effect.Effect<Resolution<A, E>, unknown, R>)

/**
 * What runs instead of a step that failed.
 *
 * @category models
 * @since 0.1.0
 */
export interface StepFallback<C, A, E, R, Undo = R, Doubt = R> {
  readonly run: (context: C, cause: Cause.Cause<E | CircuitOpen>) => Effect.Effect<A, E, R>
  /** Undoes what the fallback did. */
  readonly compensate?: ((context: C, result: A) => Effect.Effect<unknown, unknown, Undo>) | undefined
  /** Which failures are worth it; any typed failure when absent. */
  readonly on?: Fallback.On<E> | undefined
  readonly inDoubt?: InDoubt<C, A, E, Doubt> | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface StepOptions<
  C,
  Result extends Schema.ConstraintCodec<unknown, unknown>,
  E,
  R,
  Undo = R,
  Doubt = R,
  Other = R,
  OtherUndo = Other,
  OtherDoubt = Other
> {
  /** What it answers, and how that is stored; nothing when absent. */
  readonly result?: Result | undefined
  /** A typed failure says that nothing has happened. */
  readonly run: (context: C) => Effect.Effect<Result["Type"], E, R>
  /** Undoes it. It can run more than once, under one key. Without one there is nothing to undo. */
  readonly compensate?: ((context: C, result: Result["Type"]) => Effect.Effect<unknown, unknown, Undo>) | undefined
  /** `park` when absent. A `transactional` step is never in doubt. */
  readonly inDoubt?: InDoubt<C, Result["Type"], E, Doubt> | undefined
  /** Runs the step and writes its outcome in one transaction of the store: for steps that change nothing else. */
  readonly transactional?: boolean | undefined
  /** When a typed failure is tried again; never when absent. Played from its start for each failure; waiting is durable. */
  readonly retry?: Schedule.Schedule<unknown, E | CircuitOpen> | undefined
  /** How long one attempt of the step, its look-up or its compensation may take; as long as it does when absent. */
  readonly timeout?: Duration.Input | undefined
  /** Once it is done there is no way back: later steps that fail for good park the saga instead of undoing it. */
  readonly pivot?: boolean | undefined
  /** Guards `run`, never the fallback, under the name of the saga and the step. */
  readonly breaker?: Fallback.Breaker | undefined
  readonly fallback?: StepFallback<C, Result["Type"], E, Other, OtherUndo, OtherDoubt> | undefined
  /** When a failed compensation is tried again; that of the saga when absent. */
  readonly compensationRetry?: Schedule.Schedule<unknown, Cause.Cause<unknown>> | undefined
}

/** A step whose types are forgotten: its functions get what the definition has checked. */
export interface AnyStep {
  readonly id: string
  readonly codec: TextCodec<unknown>
  readonly options: StepOptions<never, Schema.ConstraintCodec<unknown, unknown>, unknown, unknown>
}
