/**
 * 09.4 The retry that never ends
 *
 * A feed of payments breaks now and then. `steady` opens it again, at most twice: that is what `Schedule.recurs(2)` says.
 * One night the feed gave two payments and broke, each time it was opened. In the morning it had been opened some hundred
 * thousand times, and the two payments had been told as often.
 *
 * `Stream.retry` starts its schedule anew whenever an item arrives, because then, in its eyes, the retry has worked. And a
 * source that is opened again begins from its own beginning.
 *
 * Do
 * 1. Open the source at most three times in all, whatever it gives before it breaks.
 * 2. Tell every payment once; its `id` names it.
 * 3. When the third run breaks as well, fail with what the third one broke with.
 *
 * `Fallback.planStream` of `effect-lifecycle/resilience` can do it, with an `ExecutionPlan` of one step; so can you, by hand.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/09-fallbacks/04-the-retry-that-never-ends/exercise.ts`.
 */
import { Data, Effect, Schedule, Stream } from "effect"

/** The connection broke, in the run of this number. */
export class ConnectionLost extends Data.TaggedError("ConnectionLost")<{ readonly run: number }> {}

export interface Payment {
  readonly id: number
  readonly amount: number
}

/** The feed, opened again when it breaks. */
export const steady = (feed: Stream.Stream<Payment, ConnectionLost>): Stream.Stream<Payment, ConnectionLost> =>
  Stream.retry(feed, Schedule.recurs(2))

if (import.meta.main) {
  let opened = 0
  const feed = Stream.suspend(() => {
    const payments = Stream.make({ id: 1, amount: 12 }, { id: 2, amount: 12 })
    return Stream.concat(payments, Stream.fail(new ConnectionLost({ run: ++opened })))
  })
  const program = steady(feed).pipe(
    Stream.take(10),
    Stream.runForEach(({ amount, id }) => Effect.sync(() => console.log(`payment ${id}: ${amount}`))),
    Effect.catch((lost) => Effect.sync(() => console.log(`broken in run ${lost.run}`)))
  )
  await Effect.runPromise(program)
  console.log(`Opened ${opened} times for the first ten payments.`)
}
