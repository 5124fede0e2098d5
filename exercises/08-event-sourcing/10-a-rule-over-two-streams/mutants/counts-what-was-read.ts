// fails: b - takes all that was read for the show
import { Effect } from "effect"
import { DynamicConsistencyBoundary } from "effect-lifecycle/store"
import { Enough, type Request, seatsOfCustomer, seatsOfShow, SoldOut, tagOf, taken } from "../evening.ts"

export const reserve = ({ customer, key, show }: Request) => {
  const tags = [tagOf.show(show), tagOf.customer(customer), tagOf.request(key)]
  return Effect.asVoid(DynamicConsistencyBoundary.decide({
    query: tags.map((tag) => ({ tags: [tag] })),
    decide: (events) =>
      Effect.gen(function*() {
        const about = (tag: string) => events.filter((event) => event.tags.includes(tag))
        if (about(tagOf.request(key)).length > 0) return []
        if (taken(events) >= seatsOfShow) return yield* new SoldOut({ show })
        if (taken(about(tagOf.customer(customer))) >= seatsOfCustomer) return yield* new Enough({ customer })
        return [{ type: "Reserved", data: { customer, show }, tags }]
      })
  }))
}
