// Reads and appends itself, keeps the events in the show's stream, and goes round until nobody is faster.
import { Effect } from "effect"
import { DynamicConsistencyBoundary } from "effect-lifecycle/store"
import {
  Enough,
  type Request,
  seatsOfCustomer,
  seatsOfShow,
  SoldOut,
  type StoreFailed,
  tagOf,
  taken
} from "../evening.ts"

export const reserve = (request: Request): Effect.Effect<
  void,
  SoldOut | Enough | StoreFailed,
  DynamicConsistencyBoundary.DynamicConsistencyBoundary
> =>
  Effect.gen(function*() {
    const boundary = yield* DynamicConsistencyBoundary.DynamicConsistencyBoundary
    const { customer, key, show } = request
    const tags = { show: tagOf.show(show), customer: tagOf.customer(customer), request: tagOf.request(key) }
    const query = Object.values(tags).map((tag) => ({ tags: [tag], types: ["Reserved", "Cancelled"] }))
    let attempts = 0
    while (true) {
      const { after, events } = yield* boundary.read(query)
      const of = (tag: string) => events.filter((event) => event.tags.includes(tag))
      if (of(tags.request).length === 1) return
      if (seatsOfShow - taken(of(tags.show)) < 1) return yield* new SoldOut({ show })
      if (seatsOfCustomer - taken(of(tags.customer)) < 1) return yield* new Enough({ customer })
      const result = yield* boundary.append({
        events: [{ type: "Reserved", data: { customer, show }, tags: Object.values(tags) }],
        condition: { query, after },
        stream: { category: "Show", id: show }
      })
      if (result._tag === "Appended") return
      const position = result._tag === "ConditionFailed" ? result.position : 0n
      if (++attempts === 20) return yield* new DynamicConsistencyBoundary.DecisionOvertaken({ attempts, position })
    }
  })
