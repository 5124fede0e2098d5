// fails: d - stops waiting around the door, which then hears of an interruption
import { Effect, Exit } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { CircuitBreaker, CircuitBreakerAdapter, RetrySchedule } from "effect-lifecycle/resilience"
import { CircuitBreaker as EffectBreaker } from "effect/persistence"
import {
  type Call,
  type Circuit,
  type Invalid,
  isFailure,
  makeCircuit,
  type Policy,
  Refused,
  Unavailable
} from "../circuit.ts"

export interface Door {
  readonly run: (host: string, call: Call) => Effect.Effect<string, Unavailable | Invalid | Refused>
}

export const makeOwn = (policy: Policy): Effect.Effect<Door> =>
  Effect.sync(() => {
    const circuits = new Map<string, Circuit>()
    const find = (host: string): Circuit => {
      const circuit = circuits.get(host) ?? Effect.runSync(makeCircuit(policy))
      circuits.set(host, circuit)
      return circuit
    }
    return { run: (host, call) => Effect.suspend(() => find(host).run(call)) }
  })

const makeLibrary = (policy: Policy) =>
  CircuitBreaker.make({
    name: "services",
    trip: CircuitBreaker.consecutive(policy.failures),
    breakDuration: policy.openMillis,
    isFailure
  })

export const makeOurs = (policy: Policy): Effect.Effect<Door> =>
  Effect.map(makeLibrary(policy), (breaker) => ({
    run: (host, call) => Effect.catchTag(breaker.run(host, call), "CircuitOpen", () => Effect.fail(new Refused()))
  }))

const classify = (exit: Exit.Exit<string, Unavailable | Invalid>): EffectBreaker.Outcome =>
  Exit.isSuccess(exit) ? EffectBreaker.success : isFailure(exit.cause) ? EffectBreaker.failure() : EffectBreaker.ignored

export const fromEffect = (breaker: EffectBreaker.CircuitBreaker): Door => ({
  run: (host, call) =>
    breaker.execute(call, { key: host, classify }).pipe(
      Effect.catchIf((error) => error instanceof EffectBreaker.CircuitBreakerError, () => Effect.fail(new Refused()))
    )
})

export const makeAdapted = (policy: Policy): Effect.Effect<Door> =>
  Effect.map(makeLibrary(policy), (breaker) => fromEffect(CircuitBreakerAdapter.make(breaker)))

export const makeClient = (door: Door): Door["run"] => (host, call) =>
  door.run(
    host,
    call.pipe(
      Effect.retry({
        schedule: RetrySchedule.make({ attempts: 2, delay: "100 millis", jitter: RetrySchedule.none }),
        while: (error) => error._tag === "Unavailable"
      })
    )
  ).pipe(
    Deadline.within("2100 millis"),
    Effect.catchTag("DeadlineExceeded", () => Effect.fail(new Unavailable()))
  )
