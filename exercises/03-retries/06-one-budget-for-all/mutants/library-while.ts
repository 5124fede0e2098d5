// fails: d - leaves the answer to `while`, when the schedule has already told the budget of a failure
import { Effect } from "effect"
import { RetryBudget, RetrySchedule } from "effect-lifecycle/resilience"
import type { Payments, Policy } from "../solution.ts"

export { Declined, Down, make } from "../solution.ts"

export const makeWithLibrary = (policy: Policy): Effect.Effect<Payments> =>
  Effect.map(RetryBudget.tokens(policy), (budget) => {
    const schedule = RetrySchedule.make({ attempts: 3, delay: 0, budget })
    return {
      run: (call) =>
        Effect.retry(RetryBudget.credit(call, budget), { schedule, while: (error) => error._tag === "Down" })
    }
  })
