/**
 * 04.4 Hedge, don't stampede
 *
 * The page of an order asks `users` for the buyer's name. Most answers come in 10 ms, one in a hundred takes 2 s: a machine
 * was collecting garbage, a packet got lost. A second request, sent while the first one still runs, nearly always overtakes
 * it. That is a hedge. Sent too early, or to a service that is slow because it has too much to do, it is a stampede.
 *
 * Do
 * 1. `hedge(method, attempt)`: make attempt 1. When 100 ms after the start of the latest attempt there is still no success,
 *    start the next one; there are at most three. The earlier ones go on: the first success of any of them is the answer.
 * 2. An attempt that fails is not the answer, and there is nothing to wait for: the next one starts at once.
 * 3. Before the answer is given, the other attempts have been interrupted, and their finalizers have run.
 * 4. When all three have failed, fail with one `AllFailed` that has the cause of each.
 * 5. Only GET and HEAD are hedged. Everything else is attempted once.
 * 6. `hedgeWithLibrary(budget)(method, attempt)`: the same with `RequestStrategy.hedged`, which also takes a `RetryBudget`.
 *    It fails with the best of the real errors instead of `AllFailed`.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/04-repeating-safely/04-hedge-dont-stampede/exercise.ts`.
 */
import { type Cause, Clock, Data, Effect } from "effect"
import type { RetryBudget } from "effect-lifecycle/resilience"

/** No attempt succeeded. */
export class AllFailed extends Data.TaggedError("AllFailed")<{
  /** One for each attempt, in the order in which they failed. */
  readonly causes: ReadonlyArray<Cause.Cause<string>>
}> {}

/** One attempt; its number is from 1. */
export type Attempt = (number: number) => Effect.Effect<string, string>

/** Makes attempts until one succeeds. */
export const hedge = (_method: string, attempt: Attempt): Effect.Effect<string, AllFailed> =>
  attempt(1).pipe(Effect.catchCause((cause) => Effect.fail(new AllFailed({ causes: [cause] }))))

/** The same with the library; attempts after the first one are made only as far as the budget allows. */
export const hedgeWithLibrary =
  (_budget: RetryBudget.RetryBudget) => (_method: string, attempt: Attempt): Effect.Effect<string, unknown> =>
    attempt(1)

if (import.meta.main) {
  const users: Attempt = (number) =>
    Effect.as(Effect.sleep(number === 1 ? "700 millis" : "20 millis"), `Ada, from attempt ${number}`)
  const program = Effect.gen(function*() {
    const start = yield* Clock.currentTimeMillis
    const name = yield* hedge("GET", users)
    console.log(
      `${name}, after ${(yield* Clock.currentTimeMillis) - start} ms. A hedge would have had it in about 120 ms.`
    )
  })
  await Effect.runPromise(program)
}
