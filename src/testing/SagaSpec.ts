/**
 * Tests of a saga in its own words: given how its steps end, when it runs, then these calls in this order, and this end.
 *
 * The saga is the real one: its order, retries, fallbacks, doubts and compensations, over a memory store. Only what `given`
 * names is played instead of run: `answers`, `fails` and `dies`, or a list of them for one attempt after another, of which
 * the last one stays. What is not named runs as it is, with the services that the test provides.
 *
 * Calls are told as `reserve`, `charge fallback` and `undo reserve`, each attempt once. Waits between attempts take no time.
 *
 * What does not fit is told as `Unexpected`, whose message shows what was given, what was expected and what came.
 *
 * **Gotchas**
 *
 * - A test is an `Effect`: it has run when it was run. `then` returns one; awaiting what `when` returned throws.
 * - `dies` is a bug or a lost process: the step is in doubt, and `inDoubt` decides.
 * - Breakers of the definition are real and shared: give each test a definition of its own where they matter.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Saga } from "effect-lifecycle/domain"
 * import { SagaSpec } from "effect-lifecycle/testing"
 * import assert from "node:assert/strict"
 *
 * class Declined extends Schema.TaggedError<Declined>()("Declined", {}) {}
 * const Checkout = Saga.make({ name: "Checkout", input: Schema.String, error: Declined })
 *   .step("reserve", { result: Schema.Int, run: () => Effect.succeed(1), compensate: () => Effect.void })
 *   .step("charge", { run: () => Effect.void })
 *
 * const poor = SagaSpec.given(Checkout, { steps: { charge: SagaSpec.fails(new Declined()) } })
 * await Effect.runPromise(poor.when("o-1").then(["reserve", "charge", "undo reserve"], "Compensated"))
 * await Effect.runPromise(poor.when("o-1").thenFails(new Declined()))
 *
 * const wrong = poor.when("o-1").then(["reserve", "charge"], "Compensated")
 * const error = await Effect.runPromise(Effect.flip(wrong))
 * assert.match(error.message, /not expected: undo reserve/)
 * ```
 *
 * @since 0.1.0
 */
import { Cause, Effect, Equal, Formatter, Layer, Schedule } from "effect"
import * as Saga from "../domain/Saga.ts"
import type { ParkReason, SagaOutcome } from "../domain/SagaOutcome.ts"
import * as MemoryStore from "../store/MemoryStore.ts"
import { Unexpected } from "./AggregateSpec.ts"
import { compareValue, failure } from "./internal/specText.ts"

export { Unexpected } from "./AggregateSpec.ts"

/**
 * How one attempt ends.
 *
 * @category models
 * @since 0.1.0
 */
export type Played<A, E> =
  | { readonly _tag: "Answers"; readonly result: A }
  | { readonly _tag: "Fails"; readonly error: E }
  | { readonly _tag: "Dies" }

/**
 * How the attempts end, one after the other; the last one stays.
 *
 * @category models
 * @since 0.1.0
 */
export type Script<A, E> = Played<A, E> | readonly [Played<A, E>, ...ReadonlyArray<Played<A, E>>]

/**
 * What is played instead of run.
 *
 * @category models
 * @since 0.1.0
 */
export interface Scripts<Results, E> {
  readonly steps?: { readonly [K in keyof Results]?: Script<Results[K], E> } | undefined
  readonly fallbacks?: { readonly [K in keyof Results]?: Script<Results[K], E> } | undefined
  readonly undo?: { readonly [K in keyof Results]?: Script<void, unknown> } | undefined
}

/**
 * A saga with its scripts.
 *
 * @category models
 * @since 0.1.0
 */
export interface Given<Input, Results, E, R> {
  readonly when: (input: Input) => When<Results, E, R>
}

/**
 * How a saga has ended: the tag of its outcome, why it is parked, or a question.
 *
 * @category models
 * @since 0.1.0
 */
export type End<Results, E> =
  | SagaOutcome<Results, E>["_tag"]
  | ParkReason
  | ((outcome: SagaOutcome<Results, E>) => boolean)

/**
 * A saga that has run.
 *
 * @category models
 * @since 0.1.0
 */
export interface When<Results, E, R> {
  /** The calls in their order, and the end. */
  readonly then: (
    calls: ReadonlyArray<string>,
    end?: End<Results, Saga.SagaFailure<E>>
  ) => Effect.Effect<void, Unexpected, R>
  /** What it was undone for. */
  readonly thenFails: (error: Saga.SagaFailure<E>) => Effect.Effect<void, Unexpected, R>
  /** What its steps have answered, when it is completed. */
  readonly thenResults: (results: Results) => Effect.Effect<void, Unexpected, R>
}

/**
 * The attempt succeeds.
 *
 * @category scripts
 * @since 0.1.0
 */
export const answers = <A>(result: A): Played<A, never> => ({ _tag: "Answers", result })

/**
 * The attempt fails, and nothing has happened.
 *
 * @category scripts
 * @since 0.1.0
 */
export const fails = <E>(error: E): Played<never, E> => ({ _tag: "Fails", error })

/**
 * The attempt ends so that nobody knows whether anything has happened.
 *
 * @category scripts
 * @since 0.1.0
 */
export const dies: Played<never, never> = { _tag: "Dies" }

/**
 * Begins a test: how the steps of the saga end.
 *
 * @category constructors
 * @since 0.1.0
 */
export const given = <Name extends string, Input, Results, E, R>(
  saga: Saga.Saga<Name, Input, Results, E, R>,
  scripts: Scripts<Results, E> = {}
): Given<Input, Results, E, R> => {
  const played = Object.entries(scripts).flatMap(([kind, steps]) =>
    Object.entries((steps ?? {}) as Record<string, Script<unknown, unknown>>).map(([step, script]) =>
      `  ${kind} ${step}: ${[script].flat().map(shown).join(", then ")}`
    )
  )
  const story = [`given ${saga.name}${played.length === 0 ? ", all of it real" : ""}`, ...played]

  return {
    when: (input) => {
      const outcome = Effect.suspend(() => {
        const calls: Array<string> = []
        const definition = rehearsed(saga, scripts, calls)
        return Saga.run(definition, { id: "it", input }).pipe(
          Effect.provide(
            Saga.layer([definition], { backoff: Schedule.spaced(0), drain: 0 }).pipe(
              Layer.provideMerge(Layer.fresh(MemoryStore.layer))
            )
          ),
          Effect.orDie,
          Effect.map((outcome) => ({
            calls,
            outcome,
            story: [...story, `when it runs with ${Formatter.format(input)}`]
          }))
        )
      })
      const check = (
        expected: unknown,
        compare: (found: Found<Results, E>) => ReadonlyArray<string>
      ): Effect.Effect<void, Unexpected, R> =>
        Effect.flatMap(outcome, (found) => {
          const differences = compare(found)
          return differences.length === 0 ? Effect.void : Effect.fail(
            new Unexpected({
              text: [...found.story, "then", ...differences.map((line) => `  ${line}`)].join("\n"),
              expected,
              actual: found.outcome
            })
          )
        })
      return {
        then: (calls, end) => {
          if (typeof calls === "function") {
            throw new TypeError(
              "SagaSpec: this is no promise. End it with .then(calls), and run the effect that returns"
            )
          }
          return check(calls, (found) => [...compareCalls(calls, found.calls), ...compareEnd(end, found.outcome)])
        },
        thenFails: (error) =>
          check(
            error,
            ({ outcome }) =>
              outcome._tag === "Compensated" && Equal.equals(Cause.squash(outcome.cause), error)
                ? []
                : [`expected to be undone for ${failure(error)}`, `it was ${ended(outcome)}`]
          ),
        thenResults: (results) =>
          check(results, ({ outcome }) =>
            outcome._tag === "Completed"
              ? compareValue("the results", results, outcome.results)
              : ["expected to be completed", `it was ${ended(outcome)}`])
      }
    }
  }
}

interface Found<Results, E> {
  readonly story: ReadonlyArray<string>
  readonly calls: ReadonlyArray<string>
  readonly outcome: SagaOutcome<Results, Saga.SagaFailure<E>>
}

/** The same definition, which notes its calls, plays its scripts and does not wait. */
const rehearsed = <Name extends string, Input, Results, E, R>(
  saga: Saga.Saga<Name, Input, Results, E, R>,
  scripts: Scripts<Results, E>,
  calls: Array<string>
): Saga.Saga<Name, Input, Results, E, R> => {
  const noted = <Arguments extends ReadonlyArray<unknown>>(
    call: string,
    script: Script<unknown, unknown> | undefined,
    real: (...all: Arguments) => Effect.Effect<unknown, unknown, unknown>
  ) => {
    let attempts = 0
    return (...all: Arguments) =>
      Effect.suspend(() => {
        calls.push(call)
        if (script === undefined) return real(...all)
        const list = [script].flat() as ReadonlyArray<Played<unknown, unknown>>
        const now = list[Math.min(attempts++, list.length - 1)] ?? dies
        return now._tag === "Answers"
          ? Effect.succeed(now.result)
          : now._tag === "Fails"
          ? Effect.fail(now.error)
          : Effect.die(new Error("the attempt was lost"))
      })
  }
  const scriptOf = (kind: keyof Scripts<Results, E>, id: string) =>
    (scripts[kind] as Record<string, Script<unknown, unknown>> | undefined)?.[id]
  const { driven } = saga
  return {
    ...saga,
    driven: {
      ...driven,
      compensationRetry: atOnce(driven.compensationRetry),
      inner: driven.inner.map(({ codec, id, options }) => {
        const { compensate, compensationRetry, fallback, retry, run } = options
        const undo = (call: string, f: typeof compensate) =>
          f === undefined ? undefined : noted(call, scriptOf("undo", id), f)
        return {
          id,
          codec,
          options: {
            ...options,
            run: noted(id, scriptOf("steps", id), run),
            compensate: undo(`undo ${id}`, compensate),
            retry: retry === undefined ? undefined : atOnce(retry),
            compensationRetry: compensationRetry === undefined ? undefined : atOnce(compensationRetry),
            fallback: fallback === undefined ? undefined : {
              ...fallback,
              run: noted(`${id} fallback`, scriptOf("fallbacks", id), fallback.run),
              compensate: undo(`undo ${id} fallback`, fallback.compensate)
            }
          }
        }
      })
    }
  }
}

const atOnce = <Out, In>(schedule: Schedule.Schedule<Out, In>): Schedule.Schedule<Out, In> =>
  Schedule.modifyDelay(schedule, () => Effect.succeed(0))

const compareCalls = (expected: ReadonlyArray<string>, actual: ReadonlyArray<string>): ReadonlyArray<string> =>
  Array.from({ length: Math.max(expected.length, actual.length) }, (_, index) => {
    const [wanted, came] = [expected[index], actual[index]]
    if (wanted === came) return undefined
    const place = `${index + 1}.`
    return wanted === undefined
      ? `${place} not expected: ${came}`
      : came === undefined
      ? `${place} missing: ${wanted}`
      : `${place} expected ${wanted}, got ${came}`
  }).filter((line) => line !== undefined)

const compareEnd = <Results, E>(
  end: End<Results, E> | undefined,
  outcome: SagaOutcome<Results, E>
): ReadonlyArray<string> => {
  const fits = end === undefined ||
    (typeof end === "function"
      ? end(outcome)
      : outcome._tag === end || (outcome._tag === "Parked" && outcome.reason === end))
  return fits ? [] : [
    typeof end === "function" ? "the end is not as asked" : `expected to be ${end}`,
    `it was ${ended(outcome)}`
  ]
}

const ended = (outcome: SagaOutcome<unknown, unknown>): string => {
  switch (outcome._tag) {
    case "Completed":
      return `Completed with ${Formatter.format(outcome.results)}`
    case "Compensated":
      return `Compensated after ${outcome.step ?? "its deadline"}: ${failure(Cause.squash(outcome.cause))}`
    case "Parked":
      return `Parked, ${outcome.reason}: ${outcome.message}`
    default:
      return `${outcome._tag}: ${outcome.reason}`
  }
}

const shown = (played: Played<unknown, unknown>): string =>
  played._tag === "Answers"
    ? `answers ${Formatter.format(played.result)}`
    : played._tag === "Fails"
    ? `fails with ${failure(played.error)}`
    : "dies"
