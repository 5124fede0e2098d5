import { Data, type Duration, Effect, type Schedule } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { RetrySchedule } from "effect-lifecycle/resilience"

export class Unavailable extends Data.TaggedError("Unavailable") {}

export class AttemptTimeout extends Data.TaggedError("AttemptTimeout") {}

export class OutOfTime extends Data.TaggedError("OutOfTime") {}

export type Failure = Unavailable | AttemptTimeout | OutOfTime

export type Call = Effect.Effect<string, Unavailable>

export const charge = (call: Call, schedule: Schedule.Schedule<unknown>): Effect.Effect<string, Failure> =>
  call.pipe(
    Effect.timeoutOrElse({ duration: "1 second", orElse: () => Effect.fail(new AttemptTimeout()) }),
    Effect.retry(schedule),
    Effect.timeoutOrElse({ duration: "3 seconds", orElse: () => Effect.fail(new OutOfTime()) })
  )

export const chargeWithLibrary = (call: Call, delay: Duration.Input): Effect.Effect<string, Failure> =>
  call.pipe(
    Deadline.within("1 second"),
    Effect.catchTag("DeadlineExceeded", () => Effect.fail(new AttemptTimeout())),
    Effect.retry(RetrySchedule.make({ attempts: 5, delay, jitter: RetrySchedule.none })),
    Deadline.within("3 seconds"),
    Effect.catchTag("DeadlineExceeded", () => Effect.fail(new OutOfTime()))
  )
