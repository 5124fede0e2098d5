/**
 * 05.3 A rate, not a streak
 *
 * `payments` has lost one of its two machines. Every second call fails, and the breaker of `orders` stays closed: there are
 * never three failures in a row. At night another one opens because three calls failed in an hour. A streak measures neither.
 * What you want to know is the share of failures among the latest calls, as soon as there are enough of them.
 *
 * Do
 * 1. `make`: when a call has failed, look at the calls that ended in the last `windowMillis`, itself included. If there are at
 *    least `minimum`, and at least the share `threshold` of them failed, open the circuit. A call that ended exactly
 *    `windowMillis` ago has left the window. What counts is when a call ended, not when it began.
 * 2. The window slides: at any moment it is the last second, not the second of the clock. Forget what has left it.
 * 3. An open circuit stays open here, and every typed failure counts.
 * 4. `makeWithLibrary`: the same with `CircuitBreaker.failureRate`, which keeps counts in ten parts of the window instead of
 *    every call, and so needs the same room for ten calls and for a million.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/05-circuit-breaker/03-a-rate-not-a-streak/exercise.ts`.
 */
import { Data, Effect } from "effect"

/** The circuit is open: the call was not made. */
export class Refused extends Data.TaggedError("Refused")<{}> {}

/** One call of `payments`. */
export type Call = Effect.Effect<string, string>

/** When the circuit opens. */
export interface Policy {
  /** The share of failures, from 0 to 1. */
  readonly threshold: number
  /** So many calls have to be in the window. */
  readonly minimum: number
  readonly windowMillis: number
}

/** What all callers share. */
export interface Breaker {
  readonly run: (call: Call) => Effect.Effect<string, string | Refused>
}

/** A breaker of your own. `Clock.monotonicTimeNanos` is time that nobody can set back. */
export const make = (_policy: Policy): Effect.Effect<Breaker> => Effect.succeed({ run: (call) => call })

/** The library's breaker; its own error for a refusal becomes `Refused`. */
export const makeWithLibrary = (_policy: Policy): Effect.Effect<Breaker> => Effect.succeed({ run: (call) => call })

if (import.meta.main) {
  const program = Effect.gen(function*() {
    const breaker = yield* make({ threshold: 0.5, minimum: 10, windowMillis: 1000 })
    let asked = 0
    const payments: Call = Effect.suspend(() =>
      ++asked % 2 === 0 ? Effect.fail("one machine is down") : Effect.succeed("paid")
    )
    for (let n = 0; n < 100; n++) yield* Effect.exit(breaker.run(payments))
    console.log(`100 orders: payments was asked ${asked} times; with a rate of one half it would have been 10.`)
  })
  await Effect.runPromise(program)
}
