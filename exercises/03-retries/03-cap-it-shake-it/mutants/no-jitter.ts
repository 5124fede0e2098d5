// fails: d - forgets the others
import { Schedule } from "effect"

export * from "../solution.ts"

export const patient: Schedule.Schedule<unknown> = Schedule.min([
  Schedule.exponential("100 millis"),
  Schedule.spaced("1 second")
]).pipe(Schedule.upTo({ times: 5 }))
