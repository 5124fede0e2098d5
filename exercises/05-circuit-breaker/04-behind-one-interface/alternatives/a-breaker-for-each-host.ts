import { type Cause, Effect, Exit } from "effect"
import { CircuitBreaker, CircuitBreakerAdapter } from "effect-lifecycle/resilience"
import { CircuitBreaker as EffectBreaker } from "effect/persistence"
import { type Call, type Invalid, isFailure, makeCircuit, type Policy, Refused, Unavailable } from "../circuit.ts"

export interface Door {
  readonly run: (host: string, call: Call) => Effect.Effect<string, Unavailable | Invalid | Refused>
}

/** Makes something for each host when it is first asked for; two who ask at the same moment get the same. */
const forEachHost = <A>(make: Effect.Effect<A>): (host: string) => Effect.Effect<A> => {
  const made = new Map<string, Effect.Effect<A>>()
  return (host) =>
    Effect.suspend(() => {
      const known = made.get(host)
      if (known !== undefined) return known
      return Effect.flatMap(Effect.cached(make), (cached) => {
        const first = made.get(host) ?? cached
        made.set(host, first)
        return first
      })
    })
}

export const makeOwn = (policy: Policy): Effect.Effect<Door> =>
  Effect.sync(() => {
    const circuitOf = forEachHost(makeCircuit(policy))
    return { run: (host, call) => Effect.flatMap(circuitOf(host), (circuit) => circuit.run(call)) }
  })

export const makeOurs = (policy: Policy): Effect.Effect<Door> =>
  Effect.sync(() => {
    const breakerOf = forEachHost(CircuitBreaker.makeRef({
      name: "service",
      trip: CircuitBreaker.consecutive(policy.failures),
      breakDuration: policy.openMillis,
      isFailure
    }))
    return {
      run: (host, call) =>
        Effect.gen(function*() {
          const breaker = yield* breakerOf(host)
          return yield* Effect.mapError(breaker.run(call), (error) =>
            error._tag === "CircuitOpen" ? new Refused() : error)
        })
    }
  })

export const fromEffect = (breaker: EffectBreaker.CircuitBreaker): Door => ({
  run: (host, call) =>
    Effect.mapError(
      breaker.execute(call, {
        key: host,
        classify: Exit.match({
          onSuccess: () => EffectBreaker.success,
          onFailure: (cause: Cause.Cause<Unavailable | Invalid>) =>
            isFailure(cause) ? EffectBreaker.failure() : EffectBreaker.ignored
        })
      }),
      (error) => error instanceof EffectBreaker.CircuitBreakerError ? new Refused() : error
    )
})

export const makeAdapted = (policy: Policy): Effect.Effect<Door> =>
  CircuitBreaker.make({
    name: "adapted",
    trip: CircuitBreaker.consecutive(policy.failures),
    breakDuration: policy.openMillis,
    isFailure
  }).pipe(Effect.map(CircuitBreakerAdapter.make), Effect.map(fromEffect))

export const makeClient = (door: Door): Door["run"] => (host, call) => {
  const attempt = Effect.timeoutOrElse(call, { duration: "1 second", orElse: () => Effect.fail(new Unavailable()) })
  return door.run(
    host,
    Effect.catchTag(attempt, "Unavailable", () => Effect.andThen(Effect.sleep("100 millis"), attempt))
  )
}
