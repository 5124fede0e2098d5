// fails: e - forgets that the library shakes its waits
import { Effect } from "effect"
import { RetrySchedule } from "effect-lifecycle/resilience"
import { type Call } from "../solution.ts"

export * from "../solution.ts"

export const chargeWithLibrary = (call: Call): Call =>
  Effect.retry(call, {
    schedule: RetrySchedule.make({ attempts: 4, delay: RetrySchedule.exponential({ base: "100 millis" }) }),
    while: (error) => error._tag === "Unavailable"
  })
