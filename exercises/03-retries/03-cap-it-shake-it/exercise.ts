/**
 * 03.3 Cap it, shake it
 *
 * Every five minutes payments restarts. All the clients of the shop notice in the same instant, wait 100 ms, and come back
 * in the same instant; then again, and again. The schedule below is theirs.
 *
 * Do
 * 1. `patient`: waits of 100, 200, 400 and 800 ms, and never more than a second before jitter: a sixth attempt is made a
 *    second after the fifth. Six attempts in all.
 * 2. Shake each wait by up to a fifth in both directions, also those that the cap has cut. Effect's `Schedule.jittered` does
 *    that. The randomness is that of the fiber, so that a test can seed it.
 * 3. `patientWithLibrary`: the same from one `RetrySchedule.make`.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/03-retries/03-cap-it-shake-it/exercise.ts`.
 */
import { Clock, Effect, Schedule } from "effect"

/** Six attempts. */
export const patient: Schedule.Schedule<unknown> = Schedule.spaced("100 millis").pipe(Schedule.upTo({ times: 5 }))

/** Six attempts, by the library. */
export const patientWithLibrary: Schedule.Schedule<unknown> = Schedule.spaced("100 millis").pipe(
  Schedule.upTo({ times: 5 })
)

if (import.meta.main) {
  const client = (name: string) =>
    Effect.gen(function*() {
      const began = yield* Clock.currentTimeMillis
      const seen: Array<number> = []
      const attempt = Effect.flatMap(Clock.currentTimeMillis, (now) => {
        seen.push(now - began)
        return Effect.fail("restarting")
      })
      yield* Effect.ignore(Effect.retry(attempt, patient))
      console.log(`${name} came at ${seen.join(", ")} ms`)
    })
  await Effect.runPromise(Effect.all([client("a"), client("b"), client("c")], { concurrency: "unbounded" }))
}
