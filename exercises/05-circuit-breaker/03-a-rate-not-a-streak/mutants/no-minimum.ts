// fails: c - opens with the first failure, which is 100 % of one call
import { Clock, Data, Effect, Exit, Ref } from "effect"
import { CircuitBreaker } from "effect-lifecycle/resilience"

export class Refused extends Data.TaggedError("Refused")<{}> {}

export type Call = Effect.Effect<string, string>

export interface Policy {
  readonly threshold: number
  readonly minimum: number
  readonly windowMillis: number
}

export interface Breaker {
  readonly run: (call: Call) => Effect.Effect<string, string | Refused>
}

interface Sample {
  readonly at: number
  readonly failed: boolean
}

type State =
  | { readonly _tag: "Closed"; readonly samples: ReadonlyArray<Sample> }
  | { readonly _tag: "Open" }

const nowMillis: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

const record = (policy: Policy, sample: Sample) => (state: State): State => {
  if (state._tag === "Open") return state
  const kept = state.samples.filter(({ at }) => sample.at - at < policy.windowMillis)
  const samples = [...kept, sample]
  const failures = samples.filter(({ failed }) => failed).length
  return sample.failed && failures / samples.length >= policy.threshold
    ? { _tag: "Open" }
    : { _tag: "Closed", samples }
}

export const make = (policy: Policy): Effect.Effect<Breaker> =>
  Effect.gen(function*() {
    const state = yield* Ref.make<State>({ _tag: "Closed", samples: [] })
    const run: Breaker["run"] = (call) =>
      Effect.gen(function*() {
        if ((yield* Ref.get(state))._tag === "Open") return yield* new Refused()
        return yield* Effect.onExit(call, (exit) =>
          Effect.flatMap(nowMillis, (at) => Ref.update(state, record(policy, { at, failed: Exit.isFailure(exit) }))))
      })
    return { run }
  })

export const makeWithLibrary = (policy: Policy): Effect.Effect<Breaker> =>
  Effect.map(
    CircuitBreaker.makeRef({
      name: "payments",
      trip: CircuitBreaker.failureRate({
        failureThreshold: policy.threshold,
        minimumThroughput: policy.minimum,
        samplingDuration: policy.windowMillis
      }),
      breakDuration: "1 hour"
    }),
    (circuit) => ({
      run: (call) =>
        Effect.mapError(
          circuit.run(call),
          (error) => error instanceof CircuitBreaker.CircuitOpen ? new Refused() : error
        )
    })
  )
