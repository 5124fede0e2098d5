// fails: b - moves to half open, and asks nobody whether a probe is under way
import { Cause, Clock, Data, Effect, Exit, Ref } from "effect"
import { CircuitBreaker } from "effect-lifecycle/resilience"

export class Unavailable extends Data.TaggedError("Unavailable")<{}> {}

export class Invalid extends Data.TaggedError("Invalid")<{}> {}

export class Refused extends Data.TaggedError("Refused")<{}> {}

export type Call = Effect.Effect<string, Unavailable | Invalid>

export interface Policy {
  readonly failures: number
  readonly openMillis: number
}

export interface Breaker {
  readonly run: (call: Call) => Effect.Effect<string, Unavailable | Invalid | Refused>
}

export type State =
  | { readonly _tag: "Closed"; readonly failures: number }
  | { readonly _tag: "Open"; readonly untilMillis: number }
  | { readonly _tag: "HalfOpen"; readonly probing: boolean }

type Admission = "call" | "probe" | "refused"

const nowMillis: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

const isFailure = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.some((reason) => Cause.isFailReason(reason) && reason.error instanceof Unavailable)

const closed: State = { _tag: "Closed", failures: 0 }

const admit = (now: number) => (state: State): readonly [Admission, State] => {
  if (state._tag === "Closed") return ["call", state]
  if (state._tag === "Open" && now < state.untilMillis) return ["refused", state]
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

export const make = (policy: Policy): Effect.Effect<Breaker> =>
  Effect.gen(function*() {
    const state = yield* Ref.make<State>(closed)
    const run: Breaker["run"] = (call) =>
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

export const makeWithLibrary = (policy: Policy): Effect.Effect<Breaker> =>
  Effect.map(
    CircuitBreaker.makeRef({
      name: "payments",
      trip: CircuitBreaker.consecutive(policy.failures),
      breakDuration: policy.openMillis,
      isFailure,
      probe: { permits: 1, successes: 2, maxDuration: "5 seconds" }
    }),
    (circuit) => ({
      run: (call) => Effect.catchTag(circuit.run(call), "CircuitOpen", () => Effect.fail(new Refused()))
    })
  )
