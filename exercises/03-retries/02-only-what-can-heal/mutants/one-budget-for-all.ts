// fails: f - shares one budget between all shops of the world
import { Effect } from "effect"
import { RetryBudget, RetrySchedule } from "effect-lifecycle/resilience"
import { type Call } from "../solution.ts"

export * from "../solution.ts"

const waits = { attempts: 4, delay: RetrySchedule.exponential({ base: "100 millis" }), jitter: RetrySchedule.none }
const canHeal = (error: { readonly _tag: string }): boolean => error._tag === "Unavailable"

const budget = Effect.runSync(RetryBudget.tokens())

export const shop: Effect.Effect<(call: Call) => Call> = Effect.sync(() => {
  const schedule = RetrySchedule.make({ ...waits, budget })
  return (call) => call.pipe(RetryBudget.credit(budget), Effect.retry({ schedule, while: canHeal }))
})
