// Keeps the times of all ends and of the failures in two lists, and drops the oldest from their fronts.
import { Clock, Data, Effect } from "effect"
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

export const make = (policy: Policy): Effect.Effect<Breaker> =>
  Effect.sync(() => {
    const ends: Array<number> = []
    const failures: Array<number> = []
    let open = false
    const note = (failed: boolean) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        ends.push(now)
        if (failed) failures.push(now)
        for (const list of [ends, failures]) {
          while (list.length > 0 && now - list[0]! >= policy.windowMillis) list.shift()
        }
        open ||= failed && ends.length >= policy.minimum && failures.length >= policy.threshold * ends.length
      })
    const run: Breaker["run"] = (call) =>
      Effect.suspend((): Effect.Effect<string, string | Refused> =>
        open
          ? Effect.fail(new Refused())
          : call.pipe(Effect.tap(() => note(false)), Effect.tapError(() => note(true)))
      )
    return { run }
  })

export const makeWithLibrary = (policy: Policy): Effect.Effect<Breaker> =>
  Effect.gen(function*() {
    const breaker = yield* CircuitBreaker.make({
      name: "services",
      trip: CircuitBreaker.anyOf(CircuitBreaker.failureRate({
        failureThreshold: policy.threshold,
        minimumThroughput: policy.minimum,
        samplingDuration: policy.windowMillis,
        windows: 20
      })),
      breakDuration: "1 day"
    })
    return {
      run: (call) =>
        Effect.mapError(breaker.run("payments", call), (error) => typeof error === "string" ? error : new Refused())
    }
  })
