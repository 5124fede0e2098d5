// fails: e - trusts the default cap, which is ten seconds
import type { Schedule } from "effect"
import { RetrySchedule } from "effect-lifecycle/resilience"

export * from "../solution.ts"

export const patientWithLibrary: Schedule.Schedule<unknown> = RetrySchedule.make({
  attempts: 6,
  delay: RetrySchedule.exponential()
})
