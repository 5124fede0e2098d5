import { Schedule } from "effect"
import { RetrySchedule } from "effect-lifecycle/resilience"

export const patient: Schedule.Schedule<unknown> = Schedule.min([
  Schedule.exponential("100 millis"),
  Schedule.spaced("1 second")
]).pipe(
  Schedule.jittered,
  Schedule.upTo({ times: 5 })
)

export const patientWithLibrary: Schedule.Schedule<unknown> = RetrySchedule.make({
  attempts: 6,
  delay: RetrySchedule.exponential({ base: "100 millis" }),
  cap: "1 second",
  jitter: RetrySchedule.plusMinus(0.2)
})
