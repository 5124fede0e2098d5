// fails: f - never tells the budget of a success, so that it stays empty
import { Effect } from "effect"
import { RetryBudget, RetrySchedule } from "effect-lifecycle/resilience"
import { type Call } from "../solution.ts"

export * from "../solution.ts"

const waits = { attempts: 4, delay: RetrySchedule.exponential({ base: "100 millis" }), jitter: RetrySchedule.none }
const canHeal = (error: { readonly _tag: string }): boolean => error._tag === "Unavailable"

export const shop: Effect.Effect<(call: Call) => Call> = Effect.map(RetryBudget.tokens(), (budget) => {
  const schedule = RetrySchedule.make({ ...waits, budget })
  return (call) => Effect.retry(call, { schedule, while: canHeal })
})
