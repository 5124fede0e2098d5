/** One circuit, as you built it in 05.2. It knows one service; yours to use for many. */
import { Cause, Clock, Data, Effect, Exit, Ref } from "effect"

/** The service is down, or too slow. */
export class Unavailable extends Data.TaggedError("Unavailable")<{}> {}

/** The service is well, and does not like the order. */
export class Invalid extends Data.TaggedError("Invalid")<{}> {}

/** The call was not made. */
export class Refused extends Data.TaggedError("Refused")<{}> {}

/** One call of a service. */
export type Call = Effect.Effect<string, Unavailable | Invalid>

/** When a circuit opens, and for how long. */
export interface Policy {
  readonly failures: number
  readonly openMillis: number
}

/** One circuit. */
export interface Circuit {
  readonly run: (call: Call) => Effect.Effect<string, Unavailable | Invalid | Refused>
}

type State =
  | { readonly _tag: "Closed"; readonly failures: number }
  | { readonly _tag: "Open"; readonly untilMillis: number }
  | { readonly _tag: "HalfOpen"; readonly probing: boolean }

type Admission = "call" | "probe" | "refused"

const nowMillis: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

/** Whether a call that ended like this says that the service is down. */
export const isFailure = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.some((reason) => Cause.isFailReason(reason) && reason.error instanceof Unavailable)

const closed: State = { _tag: "Closed", failures: 0 }

const admit = (now: number) => (state: State): readonly [Admission, State] => {
  if (state._tag === "Closed") return ["call", state]
  if (state._tag === "Open" && now < state.untilMillis) return ["refused", state]
  if (state._tag === "HalfOpen" && state.probing) return ["refused", state]
  return ["probe", { _tag: "HalfOpen", probing: true }]
}

const afterCall =
  (policy: Policy, now: number, exit: Exit.Exit<string, Unavailable | Invalid>) => (state: State): State => {
    if (state._tag !== "Closed") return state
    if (Exit.isSuccess(exit)) return closed
    if (!isFailure(exit.cause)) return state
    const failures = state.failures + 1
    return failures >= policy.failures
      ? { _tag: "Open", untilMillis: now + policy.openMillis }
      : { _tag: "Closed", failures }
  }

const afterProbe = (policy: Policy, now: number, exit: Exit.Exit<string, Unavailable | Invalid>) => (): State => {
  if (Exit.isSuccess(exit)) return closed
  if (!isFailure(exit.cause)) return { _tag: "HalfOpen", probing: false }
  return { _tag: "Open", untilMillis: now + policy.openMillis }
}

/** Makes a circuit. */
export const makeCircuit = (policy: Policy): Effect.Effect<Circuit> =>
  Effect.gen(function*() {
    const state = yield* Ref.make<State>(closed)
    const run: Circuit["run"] = (call) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function*() {
          const admission = yield* Ref.modify(state, admit(yield* nowMillis))
          if (admission === "refused") return yield* new Refused()
          const after = admission === "probe" ? afterProbe : afterCall
          return yield* Effect.onExit(restore(call), (exit) =>
            Effect.flatMap(nowMillis, (now) => Ref.update(state, after(policy, now, exit))))
        })
      )
    return { run }
  })
