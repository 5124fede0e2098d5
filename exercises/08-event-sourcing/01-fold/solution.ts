import type { Effect } from "effect"
import { Aggregate } from "effect-lifecycle/domain"
import type { EventStore } from "effect-lifecycle/store"
import { Closed, type Event, Opened, Released, Reserved, State, UnknownType } from "./events.ts"

export const start = (): State => ({ version: 0, open: false, seats: 0, taken: {} })

export const evolve = (state: State, event: Event): State => {
  const next = { ...state, version: state.version + 1 }
  switch (event._tag) {
    case "Opened":
      return { ...next, open: true, seats: event.seats }
    case "Reserved":
      return { ...next, taken: { ...state.taken, [event.customer]: (state.taken[event.customer] ?? 0) + event.seats } }
    case "Released": {
      const { [event.customer]: seats = 0, ...others } = state.taken
      const left = seats - event.seats
      return { ...next, taken: left === 0 ? others : { ...others, [event.customer]: left } }
    }
    case "Closed":
      return { ...next, open: false }
    default:
      throw new UnknownType((event as { readonly _tag: string })._tag)
  }
}

export const replay = (events: ReadonlyArray<Event>, from: State = start()): State => events.reduce(evolve, from)

export const Show = Aggregate.make({
  name: "Show",
  state: State,
  initial: start(),
  commands: [],
  events: [Opened, Reserved, Released, Closed],
  decide: {},
  evolve: { Opened: evolve, Reserved: evolve, Released: evolve, Closed: evolve }
})

export const load = (
  id: string
): Effect.Effect<
  Aggregate.Loaded<State>,
  Aggregate.LoadError,
  EventStore.EventStore
> => Aggregate.load(Show, id)
