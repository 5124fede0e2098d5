// fails: e - leaves the key to the store, which is asked after the rules
import { Effect } from "effect"
import { DynamicConsistencyBoundary } from "effect-lifecycle/store"
import { Enough, type Request, seatsOfCustomer, seatsOfShow, SoldOut, tagOf, taken } from "../evening.ts"

export const reserve = ({ customer, key, show }: Request) => {
  const tags = [tagOf.show(show), tagOf.customer(customer), tagOf.request(key)]
  return Effect.asVoid(DynamicConsistencyBoundary.decide({
    query: [{ tags: [tagOf.show(show)] }, { tags: [tagOf.customer(customer)] }],
    commandId: key,
    decide: (events) =>
      Effect.gen(function*() {
        const about = (tag: string) => events.filter((event) => event.tags.includes(tag))
        if (taken(about(tagOf.show(show))) >= seatsOfShow) return yield* new SoldOut({ show })
        if (taken(about(tagOf.customer(customer))) >= seatsOfCustomer) return yield* new Enough({ customer })
        return [{ type: "Reserved", data: { customer, show }, tags }]
      })
  }))
}
