/** Definitions of sagas. */
import { type Cause, type Duration, Schedule, Schema } from "effect"
import { CircuitOpen } from "../../../resilience/CircuitBreaker.ts"
import * as Invalid from "../../../resilience/InvalidOption.ts"
import { SagaOverdue } from "../../SagaOutcome.ts"
import * as codecs from "./codec.ts"
import type { Driven } from "./journal.ts"
import type { AnyStep, Resolution, StepContext, StepOptions } from "./step.ts"

/**
 * What a saga can be undone for: its own errors, an open circuit of a step, or its deadline.
 *
 * @category models
 * @since 0.1.0
 */
export type SagaFailure<E> = E | CircuitOpen | SagaOverdue

/**
 * A definition whose types are not known.
 *
 * @category models
 * @since 0.1.0
 */
export interface Any {
  readonly name: string
  readonly version: number
  readonly continues: ReadonlyArray<number>
  /** In their order. */
  readonly steps: ReadonlyArray<StepInfo>
  /** For this module: what runs it. */
  readonly driven: Driven
}

/**
 * What can be told of a step from outside.
 *
 * @category models
 * @since 0.1.0
 */
export interface StepInfo {
  readonly id: string
  readonly hasCompensation: boolean
  readonly hasFallback: boolean
  readonly hasBreaker: boolean
  readonly transactional: boolean
  readonly pivot: boolean
  readonly inDoubt: "park" | "repeat" | "lookup" | "never"
}

/**
 * A saga: steps in order, each with what undoes it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Saga<Name extends string, Input, Results, E, R> extends Any {
  readonly name: Name
  /** Of what it is started with. */
  readonly "~types": {
    readonly input: Input
    readonly results: Results
    readonly error: E
    readonly services: R
  }
  /** Adds a step under an id of its own, which is kept: renaming a step is removing it. */
  readonly step: <
    const Id extends string,
    Result extends Schema.ConstraintCodec<unknown, unknown> = Schema.Void,
    R2 = never,
    Undo = never,
    Doubt = never,
    Other = never,
    OtherUndo = never,
    OtherDoubt = never
  >(
    id: Id extends keyof Results ? never : Id,
    options: StepOptions<StepContext<Input, Results>, Result, E, R2, Undo, Doubt, Other, OtherUndo, OtherDoubt>
  ) => Saga<
    Name,
    Input,
    Results & { readonly [K in Id]: Result["Type"] },
    E,
    R | R2 | Undo | Doubt | Other | OtherUndo | OtherDoubt
  >
}

/**
 * What the steps of a saga need.
 *
 * @category models
 * @since 0.1.0
 */
export type Services<S extends Any> = S extends { readonly "~types": { readonly services: infer R } } ? R : never

/**
 * @category models
 * @since 0.1.0
 */
export interface Options<
  Name extends string,
  Input extends Schema.ConstraintCodec<unknown, unknown>,
  E extends Schema.ConstraintCodec<unknown, unknown>
> {
  /** 1 to 100 characters. It is kept: renaming a saga loses those that are under way. */
  readonly name: Name
  /** From 1. A definition whose steps change order or go away is a new version. */
  readonly version?: number | undefined
  /** Earlier versions whose sagas may go on with these steps, because theirs begin alike; none when absent. */
  readonly continues?: ReadonlyArray<number> | undefined
  readonly input: Input
  /** What the steps can fail with, and how that is stored; nothing when absent. */
  readonly error?: E | undefined
  /** After how long the saga is undone unless it is done, or behind its pivot; never when absent. */
  readonly deadline?: Duration.Input | undefined
  /** When a failed compensation is tried again; twice, after 1 and 2 seconds, when absent. */
  readonly compensationRetry?: Schedule.Schedule<unknown, Cause.Cause<unknown>> | undefined
  /** Whether the steps before one that cannot be undone are undone all the same; `continue` when absent. */
  readonly whenCompensationFails?: "continue" | "stop" | undefined
}

/**
 * A definition without steps.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <
  const Name extends string,
  Input extends Schema.ConstraintCodec<unknown, unknown>,
  E extends Schema.ConstraintCodec<unknown, unknown> = Schema.Never
>(options: Options<Name, Input, E>): Saga<Name, Input["Type"], {}, E["Type"], never> => {
  const module = "Saga.make"
  const { continues = [], deadline, name, version = 1, whenCompensationFails = "continue" } = options
  if (!/^\P{Cc}{1,100}$/u.test(name)) {
    throw new Invalid.InvalidOption({
      module,
      option: "name",
      value: JSON.stringify(name),
      allowed: "1 to 100 characters, none of them a control character"
    })
  }
  const errors = [CircuitOpen, SagaOverdue, ...options.error === undefined ? [] : [options.error]] as const
  const cause = Schema.Cause(Schema.Union(errors), Schema.Defect())
  return defined<Name, Input["Type"], {}, E["Type"], never>({
    name,
    version: Invalid.wholeNumber(module, "version", version, 1, 2_147_483_647),
    inner: [],
    steps: [],
    input: codecs.make(options.input),
    cause: codecs.make(cause),
    deadlineMillis: deadline === undefined ? undefined : Invalid.positiveMillis(module, "deadline", deadline),
    compensationRetry: options.compensationRetry ?? usualRetry,
    whenCompensationFails
  }, continues.map((earlier) => Invalid.wholeNumber(module, "continues", earlier, 1, version)))
}

const usualRetry = Schedule.upTo(Schedule.exponential("1 second"), { times: 2 })

const defined = <Name extends string, Input, Results, E, R>(
  driven: Driven,
  continues: ReadonlyArray<number>
): Saga<Name, Input, Results, E, R> => {
  const saga = {
    name: driven.name as Name,
    version: driven.version,
    continues,
    steps: driven.inner.map(infoOf),
    driven,
    step: (id: string, options: AnyStep["options"]) => {
      if (!/^[\p{L}\p{N}._-]{1,100}$/u.test(id) || driven.inner.some((step) => step.id === id)) {
        throw new Invalid.InvalidOption({
          module: `Saga ${driven.name}`,
          option: "step",
          value: JSON.stringify(id),
          allowed: "an id that no other step of the saga has: 1 to 100 letters, digits, dots, underscores or hyphens"
        })
      }
      const module = `Saga ${driven.name}, step ${id}`
      const { compensate, fallback, inDoubt, pivot = false, result = Schema.Void, timeout } = options
      if (timeout !== undefined) Invalid.positiveMillis(module, "timeout", timeout)
      for (const [option, given] of [["inDoubt", inDoubt], ["fallback.inDoubt", fallback?.inDoubt]] as const) {
        if (given === undefined || given === "park" || given === "repeat" || typeof given === "function") continue
        const value = JSON.stringify(given)
        throw new Invalid.InvalidOption({ module, option, value, allowed: `"park", "repeat" or a function` })
      }
      const step: AnyStep = { id, options, codec: codecs.make(result) }
      const planned = {
        id,
        pivot,
        compensates: (byFallback: boolean) => (byFallback ? fallback?.compensate : compensate) !== undefined
      }
      return defined({ ...driven, inner: [...driven.inner, step], steps: [...driven.steps, planned] }, continues)
    }
  }
  // The types of the steps are what `step` has added to them; nothing at run time holds them.
  return saga as unknown as Saga<Name, Input, Results, E, R>
}

const infoOf = ({ id, options }: AnyStep): StepInfo => {
  const { breaker, compensate, fallback, inDoubt = "park", pivot = false, transactional = false } = options
  return {
    id,
    hasCompensation: compensate !== undefined,
    hasFallback: fallback !== undefined,
    hasBreaker: breaker !== undefined,
    transactional,
    pivot,
    inDoubt: transactional ? "never" : typeof inDoubt === "string" ? inDoubt : "lookup"
  }
}

/**
 * The step in doubt has happened, and this is its result.
 *
 * @category resolutions
 * @since 0.1.0
 */
export const happened = <A>(result: A): Resolution<A, never> => ({ _tag: "Happened", result })

/**
 * The step in doubt has not happened: it runs again.
 *
 * @category resolutions
 * @since 0.1.0
 */
export const notHappened: Resolution<never, never> = { _tag: "NotHappened" }

/**
 * The step in doubt has not happened, and is to be taken as failed with this error.
 *
 * @category resolutions
 * @since 0.1.0
 */
export const failed = <E>(error: E): Resolution<never, E> => ({ _tag: "Failed", error })
