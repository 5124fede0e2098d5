// fails: d - makes a budget for each call
import { Effect } from "effect"
import { RetryBudget, RetrySchedule } from "effect-lifecycle/resilience"
import type { Payments, Policy } from "../solution.ts"

export { Declined, Down, make } from "../solution.ts"

export const makeWithLibrary = (policy: Policy): Effect.Effect<Payments> =>
  Effect.succeed({
    run: (call) =>
      Effect.flatMap(RetryBudget.tokens(policy), (budget) =>
        Effect.retry(RetryBudget.credit(call, budget), {
          schedule: RetrySchedule.make({ attempts: 3, delay: 0, budget }),
          while: (error) => error._tag === "Down"
        }))
  })
