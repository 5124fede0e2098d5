// fails: e - takes any seat of hers in this show for this one
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
        if (about(tagOf.show(show)).some((event) => event.tags.includes(tagOf.customer(customer)))) return []
        if (taken(about(tagOf.show(show))) >= seatsOfShow) return yield* new SoldOut({ show })
        if (taken(about(tagOf.customer(customer))) >= seatsOfCustomer) return yield* new Enough({ customer })
        return [{ type: "Reserved", data: { customer, show }, tags }]
      })
  }))
}
