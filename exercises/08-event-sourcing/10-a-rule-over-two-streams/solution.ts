import { Effect } from "effect"
import { DynamicConsistencyBoundary, type EventStore } from "effect-lifecycle/store"
import {
  Enough,
  type Request,
  seatsOfCustomer,
  seatsOfShow,
  SoldOut,
  type StoreFailed,
  tagOf,
  taken
} from "./evening.ts"

export const reserve = ({ customer, key, show }: Request): Effect.Effect<
  void,
  SoldOut | Enough | StoreFailed,
  EventStore.EventStore | DynamicConsistencyBoundary.DynamicConsistencyBoundary
> => {
  const tags = [tagOf.show(show), tagOf.customer(customer), tagOf.request(key)]
  return Effect.asVoid(DynamicConsistencyBoundary.decide({
    // One item for each: an event that has one of them is enough.
    query: tags.map((tag) => ({ tags: [tag] })),
    decide: (events) =>
      Effect.gen(function*() {
        const about = (tag: string) => events.filter((event) => event.tags.includes(tag))
        if (about(tagOf.request(key)).length > 0) return []
        if (taken(about(tagOf.show(show))) >= seatsOfShow) return yield* new SoldOut({ show })
        if (taken(about(tagOf.customer(customer))) >= seatsOfCustomer) return yield* new Enough({ customer })
        return [{ type: "Reserved", data: { customer, show }, tags }]
      })
  }))
}
