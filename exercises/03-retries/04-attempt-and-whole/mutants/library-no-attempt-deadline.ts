// fails: e - sets the deadline of the whole, and one attempt uses it up
import { type Duration, Effect } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { RetrySchedule } from "effect-lifecycle/resilience"
import { type Call, type Failure, OutOfTime } from "../solution.ts"

export * from "../solution.ts"

export const chargeWithLibrary = (call: Call, delay: Duration.Input): Effect.Effect<string, Failure> =>
  call.pipe(
    Effect.retry(RetrySchedule.make({ attempts: 5, delay, jitter: RetrySchedule.none })),
    Deadline.within("3 seconds"),
    Effect.catchTag("DeadlineExceeded", () => Effect.fail(new OutOfTime()))
  )
