/**
 * 03.2 Only what can heal
 *
 * Orders asks payments for a charge. Now and then payments is not available: a deployment, a lost connection. A moment
 * later it is. A card that was rejected stays rejected, however often it is asked about. `charge` asks once, and gives up
 * on both.
 *
 * The order's id is the charge's idempotency key, so it is safe to ask again.
 *
 * Do
 * 1. `charge(call)`: after `Unavailable` ask again, 100 ms later, then 200 ms, then 400 ms later. That is four attempts.
 *    When they are used up, the error of the last one is the answer. After `Rejected` never ask again.
 * 2. `chargeWithLibrary(call)`: the same with `RetrySchedule.make` from `effect-lifecycle/resilience`. It counts attempts,
 *    and it shakes its waits unless told not to.
 * 3. `shop`: four attempts each is four times the load for a service that is down. Give all the charges of a shop one
 *    `RetryBudget.tokens()`. A schedule hears of failures only; `RetryBudget.credit` tells the budget of the successes.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/03-retries/02-only-what-can-heal/exercise.ts`.
 */
import { Data, Effect } from "effect"

/** The card was refused. */
export class Rejected extends Data.TaggedError("Rejected")<{ readonly reason: string }> {}

/** Payments did not answer; `attempt` says which time. */
export class Unavailable extends Data.TaggedError("Unavailable")<{ readonly attempt: number }> {}

/** Asks payments once. */
export type Call = Effect.Effect<string, Rejected | Unavailable>

/** Asks payments until there is an answer that stays. */
export const charge = (call: Call): Call => call

/** The same, with the library. */
export const chargeWithLibrary = (call: Call): Call => call

/** A `chargeWithLibrary` whose retries all come out of one budget. Each shop has its own. */
export const shop: Effect.Effect<(call: Call) => Call> = Effect.succeed((call) => call)

if (import.meta.main) {
  let attempt = 0
  const flaky: Call = Effect.suspend(() => {
    console.log(`attempt ${++attempt}`)
    return attempt < 3 ? Effect.fail(new Unavailable({ attempt })) : Effect.succeed("charged")
  })
  const answer = charge(flaky).pipe(Effect.catch((error) => Effect.succeed(`failed: ${error._tag}`)))
  console.log(await Effect.runPromise(answer))
}
