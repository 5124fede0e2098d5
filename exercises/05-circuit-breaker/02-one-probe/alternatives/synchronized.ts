// The state lives in a `SynchronizedRef`, and each change of state has a number; a call that began under another one is old.
import { Clock, Data, Effect, Exit, SynchronizedRef } from "effect"
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

interface State {
  readonly epoch: number
  readonly failures: number
  /** From when on a probe may run; `undefined` in a closed circuit. */
  readonly probeFrom: number | undefined
}

const isDown = (exit: Exit.Exit<string, Unavailable | Invalid>): boolean =>
  Exit.isFailure(exit) &&
  exit.cause.reasons.some((reason) => reason._tag === "Fail" && reason.error._tag === "Unavailable")

export const make = (policy: Policy): Effect.Effect<Breaker> =>
  Effect.gen(function*() {
    const ref = yield* SynchronizedRef.make<State>({ epoch: 0, failures: 0, probeFrom: undefined })
    const enter = Effect.fnUntraced(function*(state: State): Effect.fn.Return<readonly [number | undefined, State]> {
      const now = yield* Clock.currentTimeMillis
      if (state.probeFrom === undefined) return [state.epoch, state]
      if (now < state.probeFrom) return [undefined, state]
      return [state.epoch + 1, { ...state, epoch: state.epoch + 1, probeFrom: Number.POSITIVE_INFINITY }]
    })
    const leave = (epoch: number, exit: Exit.Exit<string, Unavailable | Invalid>) =>
      Effect.fnUntraced(function*(state: State): Effect.fn.Return<State> {
        if (epoch !== state.epoch) return state
        const now = yield* Clock.currentTimeMillis
        const next = epoch + 1
        const opened = { epoch: next, failures: 0, probeFrom: now + policy.openMillis }
        if (Exit.isSuccess(exit)) return { epoch, failures: 0, probeFrom: undefined }
        if (state.probeFrom !== undefined) return isDown(exit) ? opened : { ...state, epoch: next, probeFrom: now }
        if (!isDown(exit)) return state
        return state.failures + 1 < policy.failures ? { ...state, failures: state.failures + 1 } : opened
      })
    const admitted = SynchronizedRef.modifyEffect(ref, enter).pipe(
      Effect.filterOrFail((epoch) => epoch !== undefined, () => new Refused())
    )
    return {
      run: (call) =>
        Effect.acquireUseRelease(
          admitted,
          () => call,
          (epoch, exit) => SynchronizedRef.updateEffect(ref, leave(epoch, exit))
        )
    }
  })

export const makeWithLibrary = (policy: Policy): Effect.Effect<Breaker> =>
  Effect.gen(function*() {
    const breaker = yield* CircuitBreaker.make({
      name: "services",
      trip: CircuitBreaker.consecutive(policy.failures),
      breakDuration: policy.openMillis,
      probe: { successes: 2, maxDuration: "5 seconds" }
    })
    return {
      run: (call) =>
        breaker.run("payments", call, {
          classify: (exit) => Exit.isSuccess(exit) ? "success" : isDown(exit) ? "failure" : "neutral"
        }).pipe(Effect.mapError((error) => error._tag === "CircuitOpen" ? new Refused() : error))
    }
  })
