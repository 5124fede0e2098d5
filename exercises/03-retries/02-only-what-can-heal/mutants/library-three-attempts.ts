// fails: e - gives the number of retries where the library counts attempts
import { Effect } from "effect"
import { RetrySchedule } from "effect-lifecycle/resilience"
import { type Call } from "../solution.ts"

export * from "../solution.ts"

export const chargeWithLibrary = (call: Call): Call =>
  Effect.retry(call, {
    schedule: RetrySchedule.make({
      attempts: 3,
      delay: RetrySchedule.exponential({ base: "100 millis" }),
      jitter: RetrySchedule.none
    }),
    while: (error) => error._tag === "Unavailable"
  })
