// The state is a number; the breaker is written with `Ref.modify`, and the library classifies each exit.
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

export const make = (policy: Policy): Effect.Effect<Breaker> =>
  Effect.gen(function*() {
    const inARow = yield* Ref.make(0)
    const note = (f: (count: number) => number) =>
      Ref.modify(inARow, (count) => [undefined, count >= policy.failures ? count : f(count)])
    const run: Breaker["run"] = (call) =>
      Effect.gen(function*() {
        if ((yield* Ref.get(inARow)) >= policy.failures) return yield* new Refused()
        const answer = yield* Effect.tapError(
          call,
          (error) => error._tag === "Unavailable" ? note((count) => count + 1) : Effect.void
        )
        yield* note(() => 0)
        return answer
      })
    return { run }
  })

export const makeWithLibrary = (policy: Policy): Effect.Effect<Breaker> =>
  Effect.gen(function*() {
    const breaker = yield* CircuitBreaker.make({
      name: "services",
      trip: CircuitBreaker.consecutive(policy.failures),
      breakDuration: "1 day"
    })
    return {
      run: (call) =>
        breaker.run("payments", call, {
          classify: (exit) => {
            if (Exit.isSuccess(exit)) return "success"
            return Cause.squash(exit.cause) instanceof Unavailable ? "failure" : "neutral"
          }
        }).pipe(Effect.mapError((error) => error instanceof CircuitBreaker.CircuitOpen ? new Refused() : error))
    }
  })
