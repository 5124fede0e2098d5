// fails: b - takes the longer of the two waits
import { Schedule } from "effect"

export * from "../solution.ts"

export const patient: Schedule.Schedule<unknown> = Schedule.max([
  Schedule.exponential("100 millis"),
  Schedule.spaced("1 second")
]).pipe(Schedule.jittered, Schedule.upTo({ times: 5 }))
