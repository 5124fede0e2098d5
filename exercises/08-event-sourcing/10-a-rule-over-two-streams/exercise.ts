/**
 * 08.10 A rule over two streams (stretch)
 *
 * A show has three seats, and a customer may have two of them this evening, in whatever shows. The first rule is guarded by the
 * stream of the show. The second one was added last week, "it looks the same": it is asked of the same stream. On Saturday
 * Ada had a seat in each of four shows. A stream for each customer would guard her, and no longer the show; and who would write to
 * both? The two rules meet in one decision and in no stream. What a decision must know is a query over tags, and what may not have
 * happened meanwhile is the same query.
 *
 * `evening.ts` has the rules, the tags, and `taken`, which counts.
 *
 * Do: `reserve(request)`, with `DynamicConsistencyBoundary`
 * 1. Fails with `SoldOut` where the show has no seat left, and with `Enough` where the customer has as many as one may have.
 *    What was cancelled is free again. Otherwise it stores one `Reserved`, with the tags by which others find it.
 * 2. Nobody gets past a rule because somebody else, or the same customer elsewhere, was faster. Whoever was overtaken, and still
 *    may, has a seat in the end.
 * 3. Those who share neither show nor customer do not disturb each other, and nobody reads what does not concern the decision.
 * 4. Who asks again under the same `key` has the seat already: that is a success, also when now it is the last one, and stores nothing.
 *
 * Check: `npm run learn`.
 * Try: `npx tsx workspace/08-event-sourcing/10-a-rule-over-two-streams/exercise.ts`.
 */
import { Effect, Stream } from "effect"
import { type DynamicConsistencyBoundary, EventStore, MemoryStore } from "effect-lifecycle/store"
import { Enough, type Request, seatsOfCustomer, seatsOfShow, SoldOut, type StoreFailed, taken } from "./evening.ts"

/** Reserves a seat. */
export const reserve = ({ customer, show }: Request): Effect.Effect<
  void,
  SoldOut | Enough | StoreFailed,
  EventStore.EventStore | DynamicConsistencyBoundary.DynamicConsistencyBoundary
> =>
  Effect.gen(function*() {
    const store = yield* EventStore.EventStore
    const stream = { category: "Show", id: show }
    const events = yield* Stream.runCollect(store.read(stream))
    if (taken(events) >= seatsOfShow) return yield* new SoldOut({ show })
    const own = events.filter(({ data }) => (data as { readonly customer: string }).customer === customer)
    if (taken(own) >= seatsOfCustomer) return yield* new Enough({ customer })
    yield* store.append({ stream, expect: events.length, events: [{ type: "Reserved", data: { customer, show } }] })
  })

if (import.meta.main) {
  const program = Effect.gen(function*() {
    for (const show of ["hamlet", "macbeth", "othello", "lear"]) {
      const exit = yield* Effect.exit(reserve({ key: `ada-${show}`, show, customer: "ada" }))
      console.log("ada", show, exit._tag)
    }
    console.log("The first two can be had, and no more.")
  })
  await Effect.runPromise(Effect.provide(program, MemoryStore.layer))
}
