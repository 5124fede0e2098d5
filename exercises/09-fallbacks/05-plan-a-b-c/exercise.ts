/**
 * 09.5 Plan A, B, C
 *
 * The front page shows the offers of the day. Plan A asks the live service, plan B the cache, plan C has three offers that
 * somebody wrote down in spring. Each plan is another `Shop`, and the page is written against `Shop` once.
 *
 * Do
 * 1. `make(shops)`, called once when the program starts, gives a `Page`. `Page.offer` reads one offer: from `live` with up to
 *    two attempts, 100 ms apart; then from `cache` with one; then from `standard` with one. It says who `served` it. Only
 *    `Down` leads to another attempt or another step. Use an `ExecutionPlan` and `Fallback.plan`.
 * 2. `live` and `cache` have a circuit each, which opens after three failed attempts in a row, for 10 seconds, and which all
 *    readers share. An open circuit skips its step: no call, no wait, the next step. `standard` needs none.
 * 3. When all steps fail, the cause tells the last failure of each.
 * 4. `Page.list` reads the offers as a stream, with the same steps and one attempt each, without circuits. Where it breaks
 *    after some offers were shown, `"fail"` keeps the failure, and `"restart"` shows the next shop's list from its start.
 * 5. Whoever leaves stops the plan: no further attempt, no further step.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/09-fallbacks/05-plan-a-b-c/exercise.ts`.
 */
import { Context, Data, Effect, Stream } from "effect"
import type { CircuitBreaker } from "effect-lifecycle/resilience"

/** A shop does not answer. */
export class Down extends Data.TaggedError("Down")<{ readonly shop: string }> {}

/** Where offers come from. */
export class Shop extends Context.Service<Shop, {
  readonly name: string
  readonly offer: Effect.Effect<string, Down>
  readonly list: Stream.Stream<string, Down>
}>()("exercise/Shop") {}

export interface Shops {
  readonly live: Shop["Service"]
  readonly cache: Shop["Service"]
  readonly standard: Shop["Service"]
}

/** An offer, and the name of the shop that it came from. */
export interface Served {
  readonly offer: string
  readonly served: string
}

export interface Page {
  readonly offer: Effect.Effect<Served, Down | CircuitBreaker.CircuitOpen>
  readonly list: (mode: "fail" | "restart") => Stream.Stream<string, Down>
}

export const make = (shops: Shops): Effect.Effect<Page> =>
  Effect.succeed({
    offer: Effect.map(shops.live.offer, (offer) => ({ offer, served: "somebody" })),
    list: () => shops.live.list
  })

if (import.meta.main) {
  const shop = (name: string, up: boolean): Shop["Service"] => ({
    name,
    offer: up ? Effect.succeed(`an offer of ${name}`) : Effect.fail(new Down({ shop: name })),
    list: up ? Stream.make("one", "two") : Stream.fail(new Down({ shop: name }))
  })
  const program = Effect.gen(function*() {
    const page = yield* make({
      live: shop("live", false),
      cache: shop("cache", true),
      standard: shop("standard", true)
    })
    console.log(yield* Effect.exit(page.offer))
  })
  await Effect.runPromise(program)
}
