/**
 * 04.5 One fetch for all (stretch)
 *
 * `orders` shows prices in euros and dollars. The rate comes from a bank, takes a second, and is good for a minute; so it is
 * kept. When the minute is over, a hundred requests find nothing at the same moment, and ask the bank a hundred times: a
 * stampede. Asking once and letting the others wait is easily said. But whose request is it that asks? If it is that of the
 * first customer, and the first customer has only 200 ms left, then a hundred customers lose their answer with her.
 *
 * Do
 * 1. `make(fetch, keepMillis)`: a cache with one value. `get` gives what is kept; when there is nothing, or it is too old, it
 *    waits for a fetch. All who wait at the same moment wait for the same fetch. The age counts from the end of the fetch, and
 *    a value of exactly `keepMillis` is too old.
 * 2. A fetch belongs to all who wait for it. One of them may be interrupted, also the first, and the others get their value.
 *    When nobody is left, it is interrupted, and whoever comes next begins a new one. `get` ends with an interruption only
 *    where its own caller was interrupted.
 * 3. When it fails, all who wait are told. A failure is not kept: whoever comes next begins a new fetch.
 * 4. `makeWithEffect(fetch, keepMillis)`: the same with `Effect.cachedWithTTL`, which can be told how long to keep each end.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/04-repeating-safely/05-one-fetch-for-all/exercise.ts`.
 */
import { Effect } from "effect"
import { Deadline } from "effect-lifecycle/request"

/** Asks the bank. */
export type Fetch = Effect.Effect<number, string>

/** What is kept. */
export interface Cache {
  readonly get: Fetch
}

/** A cache of your own. */
export const make = (fetch: Fetch, _keepMillis: number): Effect.Effect<Cache> => Effect.succeed({ get: fetch })

/** Effect's. */
export const makeWithEffect = (fetch: Fetch, _keepMillis: number): Effect.Effect<Cache> =>
  Effect.succeed({ get: fetch })

if (import.meta.main) {
  const program = Effect.gen(function*() {
    let asked = 0
    const bank: Fetch = Effect.suspend(() => (asked++, Effect.delay(Effect.succeed(1.09), "300 millis")))
    const cache = yield* make(bank, 60_000)
    const hasty = Effect.exit(Deadline.within(cache.get, "100 millis"))
    const customers = [hasty, ...Array.from({ length: 99 }, () => Effect.exit(cache.get))]
    const exits = yield* Effect.all(customers, { concurrency: "unbounded" })
    const served = exits.filter((exit) => exit._tag === "Success").length
    console.log(`100 customers, one of them in a hurry: ${served} were served, and the bank was asked ${asked} times.`)
  })
  await Effect.runPromise(program)
}
