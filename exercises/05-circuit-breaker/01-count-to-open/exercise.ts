/**
 * 05.1 Count to open
 *
 * `orders` asks `payments` for every order. When `payments` is down, each order waits two seconds for nothing, and a service
 * that tries to get up is knocked over by those who ask it how it is. After a number of failures in a row nobody should ask
 * any more. A circuit breaker is a count, a decision, and a place that all callers share: a `Ref`.
 *
 * `make` has its state and its shape; three holes are left. This breaker does not close again by itself: that is 05.2.
 *
 * Do
 * 1. `admitted`: whether a call may run in this state.
 * 2. `afterwards`: the state after a call has ended. `policy.failures` failures in a row open the circuit. A success begins
 *    the count anew. Only `Unavailable` is a failure of `payments`: an order that it refuses as `Invalid`, and a caller that
 *    goes away, say nothing about its health, so they change nothing. Nothing that ends late closes an open circuit.
 * 3. `run`: read the state, refuse or run, and write down how it ended, also when a hundred calls end at once.
 * 4. `makeWithLibrary`: the same with `CircuitBreaker.makeRef` from `effect-lifecycle/resilience`. Its state is a `Ref`, too.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/05-circuit-breaker/01-count-to-open/exercise.ts`.
 */
import { Data, Effect, Exit, Ref } from "effect"

/** `payments` is down, or too slow. */
export class Unavailable extends Data.TaggedError("Unavailable")<{}> {}

/** `payments` is well, and does not like the order. */
export class Invalid extends Data.TaggedError("Invalid")<{}> {}

/** The circuit is open: the call was not made. */
export class Refused extends Data.TaggedError("Refused")<{}> {}

/** One call of `payments`. */
export type Call = Effect.Effect<string, Unavailable | Invalid>

/** When the circuit opens. */
export interface Policy {
  /** So many failures in a row. */
  readonly failures: number
}

/** What all callers share. */
export interface Breaker {
  readonly run: (call: Call) => Effect.Effect<string, Unavailable | Invalid | Refused>
}

export type State =
  | { readonly _tag: "Closed"; readonly failures: number }
  | { readonly _tag: "Open" }

/** Whether a call may run. */
export const admitted = (_state: State): boolean => true

/** The state after a call that ended like this. */
export const afterwards = (_policy: Policy) => (state: State, _exit: Exit.Exit<string, Unavailable | Invalid>): State =>
  state

/** A breaker of your own. */
export const make = (_policy: Policy): Effect.Effect<Breaker> =>
  Effect.gen(function*() {
    const state = yield* Ref.make<State>({ _tag: "Closed", failures: 0 })
    return { run: (call) => Effect.andThen(Ref.get(state), call) }
  })

/** The library's breaker; its own error for a refusal becomes `Refused`. */
export const makeWithLibrary = (_policy: Policy): Effect.Effect<Breaker> => Effect.succeed({ run: (call) => call })

if (import.meta.main) {
  const program = Effect.gen(function*() {
    const breaker = yield* make({ failures: 3 })
    let asked = 0
    const payments: Call = Effect.suspend(() => {
      asked++
      return Effect.fail(new Unavailable())
    })
    for (let order = 1; order <= 6; order++) {
      const exit = yield* Effect.exit(breaker.run(payments))
      console.log(`order ${order}: ${Exit.isFailure(exit) ? Exit.findErrorOption(exit).pipe(String) : exit.value}`)
    }
    console.log(`payments was asked ${asked} times; with a breaker that opens at 3 it would have been 3.`)
  })
  await Effect.runPromise(program)
}
