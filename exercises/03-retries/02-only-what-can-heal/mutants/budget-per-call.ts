// fails: f - makes a new budget for every charge, and each one is full
import { Effect } from "effect"
import { RetryBudget, RetrySchedule } from "effect-lifecycle/resilience"
import { type Call } from "../solution.ts"

export * from "../solution.ts"

const waits = { attempts: 4, delay: RetrySchedule.exponential({ base: "100 millis" }), jitter: RetrySchedule.none }
const canHeal = (error: { readonly _tag: string }): boolean => error._tag === "Unavailable"

export const shop: Effect.Effect<(call: Call) => Call> = Effect.succeed((call) =>
  Effect.flatMap(
    RetryBudget.tokens(),
    (budget) => Effect.retry(call, { schedule: RetrySchedule.make({ ...waits, budget }), while: canHeal })
  )
)
