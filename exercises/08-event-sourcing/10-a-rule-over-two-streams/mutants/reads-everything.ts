// fails: d - reads all that has happened in the house
import { Effect, Stream } from "effect"
import { DynamicConsistencyBoundary, EventStore } from "effect-lifecycle/store"
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
    const store = yield* EventStore.EventStore
    const everything = Array.from(yield* Stream.runCollect(store.readAll()), ({ data }) => data as Request)
    const wide = [
      ...query,
      ...[...new Set(everything.map((one) => tagOf.show(one.show)))].map((tag) => ({ tags: [tag] }))
    ]
    let overtaken = true
    while (overtaken) {
      const { after, events: known } = yield* boundary.read(wide)
      if (!(yield* ask(request, known))) return
      overtaken = (yield* boundary.append({ events, condition: { query: wide, after } }))._tag !== "Appended"
    }
  })
