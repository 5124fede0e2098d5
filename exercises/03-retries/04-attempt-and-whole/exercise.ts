/**
 * 03.4 The attempt and the whole
 *
 * Payments runs on three machines, and one of them hangs: it takes a request and never answers. The next attempt would meet
 * another machine, but it is never made. `charge` gives the whole call three seconds, and the hanging attempt uses up all
 * of them.
 *
 * Do
 * 1. `charge(call, schedule)`: give each attempt one second, and all of it together three seconds, whatever the schedule
 *    says. An attempt that was cut is `AttemptTimeout` and may be made again. When the three seconds are over, the failure
 *    is `OutOfTime`, at once.
 * 2. `chargeWithLibrary(call, delay)`: up to five attempts, `delay` apart and without jitter, under the same limits, with
 *    `Deadline.within` and `RetrySchedule.make`. The schedule sees the deadline around it: it does not begin a wait that
 *    leaves no time for an attempt, and the caller gets the last error right away.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/03-retries/04-attempt-and-whole/exercise.ts`.
 */
import { Data, type Duration, Effect, Schedule } from "effect"

/** Payments answered that it cannot work now. */
export class Unavailable extends Data.TaggedError("Unavailable") {}

/** One attempt took longer than its second. */
export class AttemptTimeout extends Data.TaggedError("AttemptTimeout") {}

/** The three seconds of the whole call are over. */
export class OutOfTime extends Data.TaggedError("OutOfTime") {}

export type Failure = Unavailable | AttemptTimeout | OutOfTime

/** Asks payments once. */
export type Call = Effect.Effect<string, Unavailable>

/** Asks payments, one second an attempt, three seconds in all. */
export const charge = (call: Call, schedule: Schedule.Schedule<unknown>): Effect.Effect<string, Failure> =>
  call.pipe(
    Effect.retry(schedule),
    Effect.timeoutOrElse({ duration: "3 seconds", orElse: () => Effect.fail(new OutOfTime()) })
  )

/** The same with the library: up to five attempts, `delay` apart. */
export const chargeWithLibrary = (call: Call, _delay: Duration.Input): Effect.Effect<string, Failure> => call

if (import.meta.main) {
  let attempt = 0
  const machines: Call = Effect.suspend(() => {
    console.log(`attempt ${++attempt}`)
    return attempt === 1 ? Effect.never : Effect.succeed("charged")
  })
  const answer = charge(machines, Schedule.exponential("200 millis")).pipe(
    Effect.catch((error) => Effect.succeed(`failed: ${error._tag}`))
  )
  console.log(await Effect.runPromise(answer))
}
