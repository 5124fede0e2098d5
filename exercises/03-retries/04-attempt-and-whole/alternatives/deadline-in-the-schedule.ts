// Deadlines on both levels; with the library the schedule is told the time of the whole call, and a timeout ends it.
import { type Duration, Effect, type Schedule } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { RetrySchedule } from "effect-lifecycle/resilience"
import { AttemptTimeout, type Call, type Failure, OutOfTime } from "../solution.ts"

export { AttemptTimeout, type Call, type Failure, OutOfTime, Unavailable } from "../solution.ts"

const within = <E extends Failure>(duration: Duration.Input, orElse: () => E) => <A, E1>(self: Effect.Effect<A, E1>) =>
  Effect.catchTag(Deadline.within(self, duration), "DeadlineExceeded", () => Effect.fail(orElse()))

const attempt = (call: Call) => call.pipe(within("1 second", () => new AttemptTimeout()))

export const charge = (call: Call, schedule: Schedule.Schedule<unknown>): Effect.Effect<string, Failure> =>
  attempt(call).pipe(Effect.retry(schedule), within("3 seconds", () => new OutOfTime()))

export const chargeWithLibrary = (call: Call, delay: Duration.Input): Effect.Effect<string, Failure> =>
  attempt(call).pipe(
    Effect.retry(RetrySchedule.make({ attempts: 5, delay, jitter: RetrySchedule.none, deadline: "3 seconds" })),
    Effect.timeoutOrElse({ duration: "3 seconds", orElse: () => Effect.fail(new OutOfTime()) })
  )
