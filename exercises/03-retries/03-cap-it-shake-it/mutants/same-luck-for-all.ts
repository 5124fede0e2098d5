// fails: d - draws the luck once, when the program starts
import { Duration, Effect, Schedule } from "effect"

export * from "../solution.ts"

export const patient: Schedule.Schedule<unknown> = Schedule.min([
  Schedule.exponential("100 millis"),
  Schedule.spaced("1 second")
]).pipe(
  Schedule.modifyDelay(({ duration }) => Effect.succeed(Duration.times(duration, 1.1))),
  Schedule.upTo({ times: 5 })
)
