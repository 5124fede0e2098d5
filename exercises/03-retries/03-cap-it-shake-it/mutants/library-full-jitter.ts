// fails: e - shakes so much that some waits are nearly nothing
import type { Schedule } from "effect"
import { RetrySchedule } from "effect-lifecycle/resilience"

export * from "../solution.ts"

export const patientWithLibrary: Schedule.Schedule<unknown> = RetrySchedule.make({
  attempts: 6,
  delay: RetrySchedule.exponential(),
  cap: "1 second",
  jitter: RetrySchedule.full
})
