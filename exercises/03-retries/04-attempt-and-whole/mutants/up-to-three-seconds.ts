// fails: c - ends the schedule after three seconds, which does not end an attempt that is running
import { Effect, Schedule } from "effect"
import { AttemptTimeout, type Call, type Failure, OutOfTime } from "../solution.ts"

export * from "../solution.ts"

export const charge = (call: Call, schedule: Schedule.Schedule<unknown>): Effect.Effect<string, Failure> =>
  call.pipe(
    Effect.timeoutOrElse({ duration: "1 second", orElse: () => Effect.fail(new AttemptTimeout()) }),
    Effect.retry(Schedule.upTo(schedule, { duration: "3 seconds" })),
    Effect.mapError((error): Failure => error._tag === "AttemptTimeout" ? new OutOfTime() : error)
  )
