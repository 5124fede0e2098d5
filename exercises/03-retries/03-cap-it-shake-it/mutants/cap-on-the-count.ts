// fails: a - ends the schedule where the wait should stop growing
import { Schedule } from "effect"

export * from "../solution.ts"

export const patient: Schedule.Schedule<unknown> = Schedule.exponential("100 millis").pipe(
  Schedule.jittered,
  Schedule.upTo({ times: 4 })
)
