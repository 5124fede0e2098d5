// fails: c - begins to count when something has gone wrong
import { Effect, type Schedule } from "effect"
import { AttemptTimeout, type Call, type Failure, OutOfTime } from "../solution.ts"

export * from "../solution.ts"

export const charge = (call: Call, schedule: Schedule.Schedule<unknown>): Effect.Effect<string, Failure> => {
  const attempt = call.pipe(
    Effect.timeoutOrElse({ duration: "1 second", orElse: () => Effect.fail(new AttemptTimeout()) })
  )
  return Effect.catch(
    attempt,
    () =>
      attempt.pipe(
        Effect.retry(schedule),
        Effect.timeoutOrElse({ duration: "3 seconds", orElse: () => Effect.fail(new OutOfTime()) })
      )
  )
}
