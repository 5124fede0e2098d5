// fails: d - tells the caller that time is over, but not which
import { Effect, type Schedule } from "effect"
import { type Call, type Failure, OutOfTime } from "../solution.ts"

export * from "../solution.ts"

export const charge = (call: Call, schedule: Schedule.Schedule<unknown>): Effect.Effect<string, Failure> =>
  call.pipe(
    Effect.timeoutOrElse({ duration: "1 second", orElse: () => Effect.fail(new OutOfTime()) }),
    Effect.retry(schedule),
    Effect.timeoutOrElse({ duration: "3 seconds", orElse: () => Effect.fail(new OutOfTime()) })
  )
