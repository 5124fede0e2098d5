// fails: e - opens on a share of the calls, not on failures in a row
import { Cause, Data, Effect, Exit, Ref } from "effect"
import { CircuitBreaker } from "effect-lifecycle/resilience"

export class Unavailable extends Data.TaggedError("Unavailable")<{}> {}

export class Invalid extends Data.TaggedError("Invalid")<{}> {}

export class Refused extends Data.TaggedError("Refused")<{}> {}

export type Call = Effect.Effect<string, Unavailable | Invalid>

export interface Policy {
  readonly failures: number
}

export interface Breaker {
  readonly run: (call: Call) => Effect.Effect<string, Unavailable | Invalid | Refused>
}

export type State =
  | { readonly _tag: "Closed"; readonly failures: number }
  | { readonly _tag: "Open" }

const isFailure = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.some((reason) => Cause.isFailReason(reason) && reason.error instanceof Unavailable)

export const admitted = (state: State): boolean => state._tag === "Closed"

export const afterwards = (policy: Policy) => (state: State, exit: Exit.Exit<string, Unavailable | Invalid>): State => {
  if (state._tag === "Open") return state
  if (Exit.isSuccess(exit)) return { _tag: "Closed", failures: 0 }
  if (!isFailure(exit.cause)) return state
  const failures = state.failures + 1
  return failures >= policy.failures ? { _tag: "Open" } : { _tag: "Closed", failures }
}

export const make = (policy: Policy): Effect.Effect<Breaker> =>
  Effect.gen(function*() {
    const state = yield* Ref.make<State>({ _tag: "Closed", failures: 0 })
    const next = afterwards(policy)
    return {
      run: (call) =>
        Effect.gen(function*() {
          if (!admitted(yield* Ref.get(state))) return yield* new Refused()
          return yield* Effect.onExit(call, (exit) => Ref.update(state, (now) => next(now, exit)))
        })
    }
  })

export const makeWithLibrary = (policy: Policy): Effect.Effect<Breaker> =>
  Effect.map(
    CircuitBreaker.makeRef({
      name: "payments",
      trip: CircuitBreaker.countRate({
        failureThreshold: 0.5,
        minimumThroughput: policy.failures,
        size: policy.failures
      }),
      breakDuration: "1 hour",
      isFailure
    }),
    (circuit) => ({
      run: (call) => Effect.catchTag(circuit.run(call), "CircuitOpen", () => Effect.fail(new Refused()))
    })
  )
