// fails: d - calls the tags what it likes
import { Effect } from "effect"
import { DynamicConsistencyBoundary } from "effect-lifecycle/store"
import { Enough, type Request, seatsOfCustomer, seatsOfShow, SoldOut, tagOf, taken } from "../evening.ts"

export const reserve = ({ customer, key, show }: Request) => {
  const tags = [tagOf.show(show), tagOf.customer(customer), tagOf.request(key)]
  return Effect.asVoid(DynamicConsistencyBoundary.decide({
    query: [...tags, mine.show(show), mine.customer(customer)].map((tag) => ({ tags: [tag] })),
    decide: (events) =>
      Effect.gen(function*() {
        const about = (tag: string) => events.filter((event) => event.tags.includes(tag))
        if (about(tagOf.request(key)).length > 0) return []
        const seats = (...some: ReadonlyArray<string>) =>
          taken(events.filter((event) => some.some((tag) => event.tags.includes(tag))))
        if (seats(tagOf.show(show), mine.show(show)) >= seatsOfShow) return yield* new SoldOut({ show })
        if (seats(tagOf.customer(customer), mine.customer(customer)) >= seatsOfCustomer) {
          return yield* new Enough({ customer })
        }
        return [{
          type: "Reserved",
          data: { customer, show },
          tags: [mine.show(show), mine.customer(customer), tagOf.request(key)]
        }]
      })
  }))
}

const mine = {
  show: (id: string): string => `play/${id}`,
  customer: (id: string): string => `person/${id}`
}
