// fails: b - gives the attempt three seconds and the whole one
import { Effect, type Schedule } from "effect"
import { AttemptTimeout, type Call, type Failure, OutOfTime } from "../solution.ts"

export * from "../solution.ts"

export const charge = (call: Call, schedule: Schedule.Schedule<unknown>): Effect.Effect<string, Failure> =>
  call.pipe(
    Effect.timeoutOrElse({ duration: "3 seconds", orElse: () => Effect.fail(new AttemptTimeout()) }),
    Effect.retry(schedule),
    Effect.timeoutOrElse({ duration: "1 second", orElse: () => Effect.fail(new OutOfTime()) })
  )
