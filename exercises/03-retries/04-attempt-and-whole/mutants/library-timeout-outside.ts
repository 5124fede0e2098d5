// fails: e - puts a plain timeout around, which the schedule cannot see
import { type Duration, Effect } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { RetrySchedule } from "effect-lifecycle/resilience"
import { AttemptTimeout, type Call, type Failure, OutOfTime } from "../solution.ts"

export * from "../solution.ts"

export const chargeWithLibrary = (call: Call, delay: Duration.Input): Effect.Effect<string, Failure> =>
  call.pipe(
    Deadline.within("1 second"),
    Effect.catchTag("DeadlineExceeded", () => Effect.fail(new AttemptTimeout())),
    Effect.retry(RetrySchedule.make({ attempts: 5, delay, jitter: RetrySchedule.none })),
    Effect.timeoutOrElse({ duration: "3 seconds", orElse: () => Effect.fail(new OutOfTime()) })
  )
