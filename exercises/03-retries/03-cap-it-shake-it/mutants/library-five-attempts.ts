// fails: e - counts retries where attempts are meant
import type { Schedule } from "effect"
import { RetrySchedule } from "effect-lifecycle/resilience"

export * from "../solution.ts"

export const patientWithLibrary: Schedule.Schedule<unknown> = RetrySchedule.make({
  attempts: 5,
  delay: RetrySchedule.exponential(),
  cap: "1 second"
})
