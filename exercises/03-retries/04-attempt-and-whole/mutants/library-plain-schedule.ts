// fails: e - uses a schedule that knows nothing of the deadline, and waits for what cannot come
import { type Duration, Effect, Schedule } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { AttemptTimeout, type Call, type Failure, OutOfTime } from "../solution.ts"

export * from "../solution.ts"

export const chargeWithLibrary = (call: Call, delay: Duration.Input): Effect.Effect<string, Failure> =>
  call.pipe(
    Deadline.within("1 second"),
    Effect.catchTag("DeadlineExceeded", () => Effect.fail(new AttemptTimeout())),
    Effect.retry({ schedule: Schedule.spaced(delay), times: 4 }),
    Deadline.within("3 seconds"),
    Effect.catchTag("DeadlineExceeded", () => Effect.fail(new OutOfTime()))
  )
