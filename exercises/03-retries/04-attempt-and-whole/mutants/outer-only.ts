// fails: b - limits the whole, and lets one attempt have all of it
import { Effect, type Schedule } from "effect"
import { AttemptTimeout, type Call, type Failure, OutOfTime } from "../solution.ts"

export * from "../solution.ts"

export const charge = (call: Call, schedule: Schedule.Schedule<unknown>): Effect.Effect<string, Failure> =>
  call.pipe(
    Effect.retry(schedule),
    Effect.timeoutOrElse({ duration: "3 seconds", orElse: () => Effect.fail(new OutOfTime()) }),
    Effect.mapError((error): Failure => error._tag === "OutOfTime" ? error : new AttemptTimeout())
  )
