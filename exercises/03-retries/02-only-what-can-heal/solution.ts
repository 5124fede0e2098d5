import { Data, Effect, Schedule } from "effect"
import { RetryBudget, RetrySchedule } from "effect-lifecycle/resilience"

export class Rejected extends Data.TaggedError("Rejected")<{ readonly reason: string }> {}

export class Unavailable extends Data.TaggedError("Unavailable")<{ readonly attempt: number }> {}

export type Call = Effect.Effect<string, Rejected | Unavailable>

const canHeal = (error: Rejected | Unavailable): boolean => error._tag === "Unavailable"

export const charge = (call: Call): Call =>
  Effect.retry(call, { schedule: Schedule.exponential("100 millis"), times: 3, while: canHeal })

const waits = {
  attempts: 4,
  delay: RetrySchedule.exponential({ base: "100 millis" }),
  jitter: RetrySchedule.none
}

export const chargeWithLibrary = (call: Call): Call =>
  Effect.retry(call, { schedule: RetrySchedule.make(waits), while: canHeal })

export const shop: Effect.Effect<(call: Call) => Call> = Effect.map(RetryBudget.tokens(), (budget) => {
  const schedule = RetrySchedule.make({ ...waits, budget })
  return (call) => call.pipe(RetryBudget.credit(budget), Effect.retry({ schedule, while: canHeal }))
})
