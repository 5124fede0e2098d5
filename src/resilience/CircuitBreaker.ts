/**
 * Stops calling what keeps failing: one circuit in a public `Ref`, moved by a pure state machine.
 *
 * Closed, it counts failures in a row; at the limit it opens and refuses every call at once. When the open time is over it
 * is half open: a limited number of probes may run, one success closes it, one failure opens it for the full time again.
 *
 * - Every admission carries the epoch it was made in. A result from an earlier epoch is ignored, so a slow call that
 *   started before the circuit opened can neither close nor re-open it.
 * - Interruption is neutral and gives a probe's permit back. So is what `isFailure` says is not a failure: it neither
 *   counts nor resets.
 * - The call that trips the circuit fails with its own error.
 * - Time is the monotonic clock; a jump of the wall clock moves nothing. There is no timer.
 *
 * **Gotchas**
 *
 * - Put a deadline inside the circuit, so that a call that hangs becomes a failure and a probe comes back.
 * - The state never leaves the process. To share it, use `effect/persistence` CircuitBreaker with its Redis store.
 * - Rates, slow calls, keys and events are not here yet.
 *
 * @example
 * ```ts
 * import { Effect, Exit, Ref } from "effect"
 * import { CircuitBreaker } from "effect-lifecycle/resilience"
 * import assert from "node:assert/strict"
 *
 * const program = Effect.gen(function*() {
 *   const breaker = yield* CircuitBreaker.makeRef({ name: "payments", failures: 2, openFor: "10 seconds" })
 *   const call = breaker.run(Effect.fail("down"))
 *   yield* Effect.exit(call)
 *   yield* Effect.exit(call)
 *   assert.equal((yield* Ref.get(breaker.state))._tag, "Open")
 *   return yield* Effect.exit(call)
 * })
 *
 * const refused = await Effect.runPromise(program)
 * assert.ok(Exit.isFailure(refused) && refused.cause.reasons.some((r) => r._tag === "Fail" && r.error !== "down"))
 * ```
 *
 * @since 0.1.0
 */
import { Cause, Clock, type Duration, Effect, Exit, Ref, Schema } from "effect"
import { finiteMillis, wholeNumber } from "./InvalidOption.ts"

/**
 * The circuit is open, or half open with all probes under way; the call was not made.
 *
 * @category errors
 * @since 0.1.0
 */
export class CircuitOpen extends Schema.TaggedError<CircuitOpen>()("CircuitOpen", {
  name: Schema.String,
  retryAfterMillis: Schema.Finite
}) {
  override get message(): string {
    return `Circuit "${this.name}" is open; a probe may run in ${Math.ceil(this.retryAfterMillis)} ms`
  }
}

/**
 * @category models
 * @since 0.1.0
 */
export type State =
  | { readonly _tag: "Closed"; readonly epoch: number; readonly failures: number }
  | { readonly _tag: "Open"; readonly epoch: number; readonly untilMillis: number }
  | { readonly _tag: "HalfOpen"; readonly epoch: number; readonly probes: number }

/**
 * What can happen to a circuit. `nowMillis` is monotonic.
 *
 * @category models
 * @since 0.1.0
 */
export type Input =
  | { readonly _tag: "Admit"; readonly nowMillis: number }
  | { readonly _tag: "Succeeded"; readonly epoch: number }
  | { readonly _tag: "Failed"; readonly epoch: number; readonly nowMillis: number }
  | { readonly _tag: "Neutral"; readonly epoch: number }

/**
 * What it answers: an admission with its epoch, a refusal, or nothing.
 *
 * @category models
 * @since 0.1.0
 */
export type Output =
  | { readonly _tag: "Admitted"; readonly epoch: number }
  | { readonly _tag: "Refused"; readonly retryAfterMillis: number }
  | { readonly _tag: "Noted" }

/**
 * @category models
 * @since 0.1.0
 */
export interface Policy {
  readonly name: string
  /** Failures in a row that open the circuit. */
  readonly failures: number
  /** How long it stays open. */
  readonly openFor: Duration.Input
  /** Probes that may run at once while half open; 1 when absent. */
  readonly probes?: number | undefined
}

/**
 * A policy whose numbers have been checked.
 *
 * @category models
 * @since 0.1.0
 */
export interface Limits {
  readonly failures: number
  readonly openMillis: number
  readonly probes: number
}

/**
 * @category models
 * @since 0.1.0
 */
export interface CircuitBreaker {
  readonly name: string
  readonly state: Ref.Ref<State>
  /** Runs `effect` when the circuit lets it, and notes how it ended. */
  readonly run: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: RunOptions<E>
  ) => Effect.Effect<A, E | CircuitOpen, R>
}

/**
 * @category models
 * @since 0.1.0
 */
export interface RunOptions<E> {
  /** Whether a failed exit counts; every typed failure and defect when absent. */
  readonly isFailure?: ((cause: Cause.Cause<E>) => boolean) | undefined
}

/**
 * A new circuit: closed, with nothing counted.
 *
 * @category models
 * @since 0.1.0
 */
export const initial: State = { _tag: "Closed", epoch: 0, failures: 0 }

const noted: Output = { _tag: "Noted" }

/**
 * The state machine, without time or effects of its own.
 *
 * @category transitions
 * @since 0.1.0
 */
export const transition = (limits: Limits) => (state: State, input: Input): readonly [Output, State] => {
  if (input._tag === "Admit") return admit(limits, state, input.nowMillis)
  if (input.epoch !== state.epoch || state._tag === "Open") return [noted, state]
  switch (input._tag) {
    case "Succeeded":
      return state._tag === "HalfOpen"
        ? [noted, { _tag: "Closed", epoch: state.epoch + 1, failures: 0 }]
        : [noted, state.failures === 0 ? state : { ...state, failures: 0 }]
    case "Neutral":
      return [noted, state._tag === "HalfOpen" ? { ...state, probes: state.probes - 1 } : state]
    case "Failed": {
      const failures = state._tag === "HalfOpen" ? limits.failures : state.failures + 1
      return [
        noted,
        failures < limits.failures
          ? { _tag: "Closed", epoch: state.epoch, failures }
          : { _tag: "Open", epoch: state.epoch + 1, untilMillis: input.nowMillis + limits.openMillis }
      ]
    }
  }
}

const admit = (limits: Limits, state: State, nowMillis: number): readonly [Output, State] => {
  switch (state._tag) {
    case "Closed":
      return [{ _tag: "Admitted", epoch: state.epoch }, state]
    case "Open": {
      if (nowMillis < state.untilMillis) {
        return [{ _tag: "Refused", retryAfterMillis: state.untilMillis - nowMillis }, state]
      }
      const epoch = state.epoch + 1
      return [{ _tag: "Admitted", epoch }, { _tag: "HalfOpen", epoch, probes: 1 }]
    }
    case "HalfOpen":
      return state.probes < limits.probes
        ? [{ _tag: "Admitted", epoch: state.epoch }, { ...state, probes: state.probes + 1 }]
        : [{ _tag: "Refused", retryAfterMillis: 0 }, state]
  }
}

/**
 * One circuit whose state is a public `Ref`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeRef = (policy: Policy): Effect.Effect<CircuitBreaker> =>
  Effect.sync(() => {
    const step = transition({
      failures: wholeNumber("CircuitBreaker.makeRef", "failures", policy.failures, 1),
      openMillis: finiteMillis("CircuitBreaker.makeRef", "openFor", policy.openFor),
      probes: wholeNumber("CircuitBreaker.makeRef", "probes", policy.probes ?? 1, 1)
    })
    const state = Ref.makeUnsafe<State>(initial)
    return {
      name: policy.name,
      state,
      run: <A, E, R>(effect: Effect.Effect<A, E, R>, options?: RunOptions<E>) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.gen(function*(): Effect.fn.Return<A, E | CircuitOpen, R> {
            const nowMillis = yield* monotonicMillis
            const admission = yield* Ref.modify(state, (current) => step(current, { _tag: "Admit", nowMillis }))
            if (admission._tag === "Admitted") {
              return yield* Effect.onExit(restore(effect), (exit) =>
                Effect.gen(function*() {
                  const input = yield* classify(exit, admission.epoch, options?.isFailure)
                  yield* Ref.update(state, (current) => step(current, input)[1])
                }))
            }
            return yield* new CircuitOpen({
              name: policy.name,
              retryAfterMillis: admission._tag === "Refused" ? admission.retryAfterMillis : 0
            })
          })
        )
    }
  })

/** A classifier that throws counts the failure it was asked about: it must not keep a probe's permit. */
const classify = Effect.fnUntraced(function*<A, E>(
  exit: Exit.Exit<A, E>,
  epoch: number,
  isFailure: RunOptions<E>["isFailure"]
): Effect.fn.Return<Input> {
  if (Exit.isSuccess(exit)) return { _tag: "Succeeded", epoch }
  if (Cause.hasInterruptsOnly(exit.cause)) return { _tag: "Neutral", epoch }
  const counts = yield* Effect.exit(Effect.sync(() => isFailure?.(exit.cause) ?? true))
  if (Exit.isSuccess(counts) && !counts.value) return { _tag: "Neutral", epoch }
  return { _tag: "Failed", epoch, nowMillis: yield* monotonicMillis }
})

const monotonicMillis: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)
