// fails: d - shakes first and cuts afterwards, so that capped waits are alike again
import { Schedule } from "effect"

export * from "../solution.ts"

export const patient: Schedule.Schedule<unknown> = Schedule.min([
  Schedule.jittered(Schedule.exponential("100 millis")),
  Schedule.spaced("1 second")
]).pipe(Schedule.upTo({ times: 5 }))
