/**
 * 02.5 Half an answer in time
 *
 * The page of a product has five boxes: price, stock, reviews, and two more. Each comes from a service of its own. When one
 * of them is slow the page is slow; when one of them fails there is no page. Most customers would take the page without the
 * reviews.
 *
 * Do
 * 1. `gather`: ask all sources at once. After `budgetMillis` the answer is given with what has arrived; without a budget it
 *    waits for all. When all have ended before, it does not wait any longer.
 * 2. `arrived` and `missing` hold the sources in the order in which they were asked. A source is missing because it was
 *    `late` or because it `failed`. When none has arrived, fail with `NothingArrived`, which says the same.
 * 3. A defect in a source is a bug, and no reason to leave out a box: `gather` dies with it.
 * 4. Sources that are not waited for any more are interrupted. So are all of them when the customer leaves.
 * 5. `gatherForRequest`: the same, with the budget of the request: what its `Deadline` leaves, minus 50 ms to send the page.
 *    Outside a deadline it waits for all.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/02-deadlines/05-half-an-answer/exercise.ts`.
 */
import { Data, Effect } from "effect"
import { Deadline } from "effect-lifecycle/request"

/** A source says no. */
export class Unavailable extends Data.TaggedError("Unavailable")<{}> {}

/** One box of the page. */
export interface Source {
  readonly name: string
  readonly ask: Effect.Effect<string, Unavailable>
}

export interface Missing {
  readonly name: string
  readonly reason: "late" | "failed"
}

/** What there is of the page. */
export interface Page {
  readonly arrived: ReadonlyArray<{ readonly name: string; readonly value: string }>
  readonly missing: ReadonlyArray<Missing>
}

/** There is nothing to show. */
export class NothingArrived extends Data.TaggedError("NothingArrived")<{
  readonly missing: ReadonlyArray<Missing>
}> {}

/** Asks all sources, within a budget. */
export const gather = (
  _sources: ReadonlyArray<Source>,
  _budgetMillis?: number
): Effect.Effect<Page, NothingArrived> => Effect.succeed({ arrived: [], missing: [] })

/** Asks all sources, within the deadline of the request. */
export const gatherForRequest = (_sources: ReadonlyArray<Source>): Effect.Effect<Page, NothingArrived> =>
  Effect.succeed({ arrived: [], missing: [] })

if (import.meta.main) {
  const source = (name: string, millis: number): Source => ({
    name,
    ask: Effect.delay(Effect.succeed("ready"), millis)
  })
  const sources = [source("price", 20), source("reviews", 500), source("stock", 40)]
  const page = gatherForRequest(sources).pipe(Deadline.within("200 millis"))
  console.log(await Effect.runPromise(Effect.exit(page)))
}
