import type { Effect } from "effect"
import { Aggregate } from "effect-lifecycle/domain"
import type { EventStore } from "effect-lifecycle/store"
import { Closed, type Event, Opened, Released, Reserved, State, UnknownType } from "../events.ts"

export const start = (): State => ({ version: 0, open: false, seats: 0, taken: {} })

/** The seats of all customers after one of them has got some more, or given some back. */
const changed = (taken: State["taken"], customer: string, by: number): State["taken"] => {
  const seats = new Map(Object.entries(taken))
  seats.set(customer, (seats.get(customer) ?? 0) + by)
  return Object.fromEntries([...seats].filter(([, some]) => some !== 0))
}

/** What each event changes, and nothing else. */
const changes = {
  Opened: (_: State, { seats }: Event & { readonly _tag: "Opened" }) => ({ open: true, seats }),
  Reserved: ({ taken }: State, { customer, seats }: Event & { readonly _tag: "Reserved" }) => ({
    taken: changed(taken, customer, seats)
  }),
  Released: ({ taken }: State, { customer, seats }: Event & { readonly _tag: "Released" }) => ({
    taken: changed(taken, customer, -seats)
  }),
  Closed: () => ({ open: false })
}

const after = (state: State, change: Partial<State>): State => ({ ...state, ...change, version: state.version + 1 })

export const evolve = (state: State, event: Event): State => {
  if (!Object.hasOwn(changes, event._tag)) throw new UnknownType(event._tag)
  if (event._tag === "Opened") return after(state, changes.Opened(state, event))
  if (event._tag === "Reserved") return after(state, changes.Reserved(state, event))
  if (event._tag === "Released") return after(state, changes.Released(state, event))
  return after(state, changes.Closed())
}

export const replay = (events: ReadonlyArray<Event>, from?: State): State => {
  let state = from ?? start()
  for (const event of events) state = evolve(state, event)
  return state
}

export const Show = Aggregate.make({
  name: "Show",
  state: State,
  initial: start(),
  commands: [],
  events: [Opened, Reserved, Released, Closed],
  decide: {},
  evolve: {
    Opened: (state, { seats }) => evolve(state, { _tag: "Opened", seats }),
    Reserved: (state, { customer, seats }) => evolve(state, { _tag: "Reserved", customer, seats }),
    Released: (state, { customer, seats }) => evolve(state, { _tag: "Released", customer, seats }),
    Closed: (state) => evolve(state, { _tag: "Closed" })
  }
})

export const load = (
  id: string
): Effect.Effect<
  Aggregate.Loaded<State>,
  Aggregate.LoadError,
  EventStore.EventStore
> => Aggregate.load(Show, id)
