/**
 * 05.5 Who may wait (stretch)
 *
 * `payments` can do two things at once. On an evening with twice the orders it has a queue of a thousand, in the order in
 * which they came: the nightly report before the customer at the till, and everybody waits for longer than they stay. It is
 * busy the whole time, with work that nobody waits for any more. A breaker does not help: nothing fails. Somebody has to say
 * no, early, and to the right ones.
 *
 * Do
 * 1. `make({ permits, queue })`: at most `permits` calls run at once, and at most `queue` wait.
 * 2. When a call ends, however it ends, the most urgent of those who wait begins; of equally urgent ones the one who came first.
 *    `Priority.compare(a, b)` is below 0 where a is less urgent than b.
 * 3. Who finds the queue full is refused with `Refused`, unless somebody in it is less urgent: then the least urgent one is
 *    refused in its place, and of several the newest.
 * 4. Who is interrupted while waiting leaves the queue. Who is refused or leaves has not run, and takes no permit.
 * 5. `makeWithLibrary`: the same with `Bulkhead.make`, which finds the priority in `Priority.Current`.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/05-circuit-breaker/05-who-may-wait/exercise.ts`.
 */
import { Data, Effect } from "effect"
import type { Priority } from "effect-lifecycle/request"

/** There was no room; nothing was done. */
export class Refused extends Data.TaggedError("Refused")<{}> {}

export interface Limits {
  readonly permits: number
  readonly queue: number
}

/** What all callers share. */
export interface Lanes {
  readonly run: <A, E, R>(priority: Priority.Priority, call: Effect.Effect<A, E, R>) => Effect.Effect<A, E | Refused, R>
}

/** Lanes of your own. A `Deferred` for each one who waits tells it how it went. */
export const make = (_limits: Limits): Effect.Effect<Lanes> => Effect.succeed({ run: (_priority, call) => call })

/** The library's; its refusal becomes `Refused`. */
export const makeWithLibrary = (_limits: Limits): Effect.Effect<Lanes> =>
  Effect.succeed({ run: (_priority, call) => call })

if (import.meta.main) {
  const program = Effect.gen(function*() {
    const lanes = yield* make({ permits: 2, queue: 3 })
    const calls = (["low", "low", "low", "low", "critical", "normal", "critical"] as const).map((priority, index) =>
      lanes.run(priority, Effect.delay(Effect.sync(() => console.log(`${index + 1} ${priority}: done`)), "50 millis"))
        .pipe(
          Effect.catchTag("Refused", () => Effect.sync(() => console.log(`${index + 1} ${priority}: refused`)))
        )
    )
    yield* Effect.all(calls, { concurrency: "unbounded" })
  })
  await Effect.runPromise(program)
}
