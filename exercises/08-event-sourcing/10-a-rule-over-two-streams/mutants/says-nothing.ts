// fails: c - takes being overtaken for a success
import { Effect } from "effect"
import { DynamicConsistencyBoundary } from "effect-lifecycle/store"
import { Enough, type Request, seatsOfCustomer, seatsOfShow, SoldOut, tagOf, taken } from "../evening.ts"

const ask = ({ customer, key, show }: Request, events: ReadonlyArray<DynamicConsistencyBoundary.TaggedEvent>) => {
  const about = (tag: string) => events.filter((event) => event.tags.includes(tag))
  if (about(tagOf.request(key)).length > 0) return Effect.succeed(false)
  if (taken(about(tagOf.show(show))) >= seatsOfShow) return Effect.fail(new SoldOut({ show }))
  if (taken(about(tagOf.customer(customer))) >= seatsOfCustomer) return Effect.fail(new Enough({ customer }))
  return Effect.succeed(true)
}

export const reserve = (request: Request) =>
  Effect.gen(function*() {
    const boundary = yield* DynamicConsistencyBoundary.DynamicConsistencyBoundary
    const { customer, key, show } = request
    const tags = [tagOf.show(show), tagOf.customer(customer), tagOf.request(key)]
    const query = tags.map((tag) => ({ tags: [tag] }))
    const events = [{ type: "Reserved", data: { customer, show }, tags }]
    const { after, events: known } = yield* boundary.read(query)
    if (yield* ask(request, known)) yield* boundary.append({ events, condition: { query, after } })
  })
