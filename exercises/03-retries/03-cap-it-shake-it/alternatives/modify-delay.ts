// One schedule whose wait is computed by hand; the library's defaults where they are what is asked for.
import { Duration, Effect, Random, Schedule } from "effect"
import { RetrySchedule } from "effect-lifecycle/resilience"

export const patient: Schedule.Schedule<unknown> = Schedule.exponential("100 millis").pipe(
  Schedule.modifyDelay(({ duration }) =>
    Effect.map(Random.next, (luck) => Duration.times(Duration.min(duration, Duration.seconds(1)), 0.8 + 0.4 * luck))
  ),
  Schedule.upTo({ times: 5 })
)

export const patientWithLibrary: Schedule.Schedule<unknown> = RetrySchedule.make({
  attempts: 6,
  delay: RetrySchedule.exponential(),
  cap: "1 second"
})
