/**
 * 05.2 One probe
 *
 * The breaker of `orders` has held its calls back for ten seconds, and now it wants to know whether `payments` is well again.
 * It asks by letting calls through: all of them. `payments` has just started, has no connection open and no cache filled,
 * and gets two thousand calls in its first second. It goes down again, the breaker opens, and ten seconds later the same.
 *
 * One call is enough to find out. It is called a probe, and a circuit that waits for one is half open.
 *
 * Do
 * 1. After the wait one call runs, and nobody else until it has ended: the others are refused at once, as before. You need a
 *    third state.
 * 2. When the probe succeeds the circuit closes and begins to count anew. When it fails, the circuit is open again for the
 *    whole time, counted from now.
 * 3. A probe that is interrupted, or that ends with `Invalid`, has found nothing out. The next call may be the probe.
 * 4. A call that began before the circuit opened says nothing about now, however it ends: it changes nothing.
 * 5. `makeWithLibrary`: the same with `CircuitBreaker.makeRef`. There, two probes in a row must succeed before the circuit
 *    closes, one at a time, and a probe that is silent for 5 seconds has failed.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/05-circuit-breaker/02-one-probe/exercise.ts`.
 */
import { Cause, Clock, Data, Effect, Exit, Ref } from "effect"

/** `payments` is down, or too slow. */
export class Unavailable extends Data.TaggedError("Unavailable")<{}> {}

/** `payments` is well, and does not like the order. */
export class Invalid extends Data.TaggedError("Invalid")<{}> {}

/** The call was not made. */
export class Refused extends Data.TaggedError("Refused")<{}> {}

/** One call of `payments`. */
export type Call = Effect.Effect<string, Unavailable | Invalid>

/** When the circuit opens, and for how long. */
export interface Policy {
  /** So many failures in a row. */
  readonly failures: number
  readonly openMillis: number
}

/** What all callers share. */
export interface Breaker {
  readonly run: (call: Call) => Effect.Effect<string, Unavailable | Invalid | Refused>
}

export type State =
  | { readonly _tag: "Closed"; readonly failures: number }
  | { readonly _tag: "Open"; readonly untilMillis: number }

/** Time that nobody can set back. */
const nowMillis: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

const isFailure = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.some((reason) => Cause.isFailReason(reason) && reason.error instanceof Unavailable)

const afterwards =
  (policy: Policy, now: number, exit: Exit.Exit<string, Unavailable | Invalid>) => (state: State): State => {
    if (Exit.isSuccess(exit)) return { _tag: "Closed", failures: 0 }
    if (!isFailure(exit.cause)) return state
    const failures = state._tag === "Closed" ? state.failures + 1 : policy.failures
    return failures >= policy.failures
      ? { _tag: "Open", untilMillis: now + policy.openMillis }
      : { _tag: "Closed", failures }
  }

/** A breaker of your own. */
export const make = (policy: Policy): Effect.Effect<Breaker> =>
  Effect.gen(function*() {
    const state = yield* Ref.make<State>({ _tag: "Closed", failures: 0 })
    const run: Breaker["run"] = (call) =>
      Effect.gen(function*() {
        const now = yield* Ref.get(state)
        if (now._tag === "Open" && (yield* nowMillis) < now.untilMillis) return yield* new Refused()
        return yield* Effect.onExit(
          call,
          (exit) => Effect.flatMap(nowMillis, (millis) => Ref.update(state, afterwards(policy, millis, exit)))
        )
      })
    return { run }
  })

/** The library's breaker; its own error for a refusal becomes `Refused`. */
export const makeWithLibrary = (_policy: Policy): Effect.Effect<Breaker> => Effect.succeed({ run: (call) => call })

if (import.meta.main) {
  const program = Effect.gen(function*() {
    const breaker = yield* make({ failures: 3, openMillis: 200 })
    let asked = 0
    const payments: Call = Effect.suspend(() => {
      asked++
      return Effect.delay(Effect.fail(new Unavailable()), "20 millis")
    })
    for (const wait of [0, 250, 250]) {
      yield* Effect.sleep(wait)
      const before = asked
      yield* Effect.forEach(Array.from({ length: 50 }), () => Effect.exit(breaker.run(payments)), {
        concurrency: "unbounded"
      })
      console.log(`50 orders at once: payments was asked ${asked - before} times`)
    }
    console.log("The first 50 came before anybody knew. Of the others, one in 50 is enough.")
  })
  await Effect.runPromise(program)
}
