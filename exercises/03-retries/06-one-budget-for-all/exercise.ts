/**
 * 03.6 One budget for all (stretch)
 *
 * `payments` is down for a minute. Every call of `orders` makes three attempts, as it was told to. So `payments` gets three
 * times the load, at the moment when it can bear the least, and when it comes back it is pushed over again. One call cannot
 * know this: each of them did what was right for itself. So all calls of a process share a budget.
 *
 * The budget is a number of tokens, and `maximum` is how many there are at most and at first. An attempt that is `Down` takes
 * one (never below 0). An attempt that succeeds gives `ratio` of one back (never above `maximum`). A retry may be made while
 * more than half of the `maximum` is left; it is looked at after the failed attempt has taken its token.
 *
 * Do
 * 1. `make(policy)`: one budget, shared by all that `run` is used for, whoever calls it and however many at once.
 * 2. `run(call)`: up to three attempts, without a wait between them, as long as the budget allows. What is not allowed ends
 *    with the failure that was there.
 * 3. `Declined` is an answer of a healthy `payments`: it is not repeated, takes nothing, and gives nothing back.
 * 4. `makeWithLibrary(policy)`: the same with `RetryBudget.tokens` and `RetrySchedule.make`. A schedule hears of failures
 *    only, and of each one: somebody else has to tell the budget of the successes, and it must not see `Declined`.
 *
 * A ratio such as 0.1 cannot be kept exactly in a number: count in thousandths of a token.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/03-retries/06-one-budget-for-all/exercise.ts`.
 */
import { Data, Effect } from "effect"

/** Nobody answers. */
export class Down extends Data.TaggedError("Down")<{}> {}

/** The card was refused. */
export class Declined extends Data.TaggedError("Declined")<{}> {}

/** One attempt. */
export type Call = Effect.Effect<string, Down | Declined>

export interface Policy {
  /** How many tokens there are at most, and at first. */
  readonly maximum: number
  /** What a success gives back, from 0 to 1 with three digits. */
  readonly ratio: number
}

/** What everybody shares who calls payments. */
export interface Payments {
  readonly run: (call: Call) => Call
}

/** A budget of your own. */
export const make = (_policy: Policy): Effect.Effect<Payments> =>
  Effect.succeed({ run: (call) => Effect.retry(call, { times: 2 }) })

/** The library's budget. */
export const makeWithLibrary = (_policy: Policy): Effect.Effect<Payments> =>
  Effect.succeed({ run: (call) => Effect.retry(call, { times: 2 }) })

if (import.meta.main) {
  const program = Effect.gen(function*() {
    const payments = yield* make({ maximum: 10, ratio: 0.1 })
    let attempts = 0
    const call: Call = Effect.suspend(() => (attempts++, Effect.fail(new Down())))
    for (let order = 0; order < 100; order++) yield* Effect.exit(payments.run(call))
    console.log(`100 orders while payments is down: ${attempts} attempts. With a budget it would have been 103.`)
  })
  await Effect.runPromise(program)
}
