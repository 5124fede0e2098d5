/**
 * 08.1 Fold
 *
 * A show in the theatre is not kept as a row. What is kept is what happened: it was opened with 100 seats, Ada reserved two,
 * Ada gave one back, it was closed. The state is what comes out when these events are gone through in order, and it can be
 * made again at any time.
 *
 * Do
 * 1. `start()`: the state before the first event: version 0, not open, no seats, nobody has any.
 * 2. `evolve(state, event)`: the state after one more event. `Opened` opens the show and sets its seats, `Reserved` adds to
 *    the seats of a customer, `Released` takes from them (who has none left is not in `taken`), `Closed` closes. Every event
 *    counts `version` up by one. The state that was given stays as it is. For an event of another type, throw `UnknownType`
 *    with that type: a state that has left something out is wrong, and nobody would notice.
 * 3. `replay(events, from)`: the state after all of them, from `start()` or from a state that is given.
 * 4. `Show` and `load(id)`: the same with the library. Give the aggregate your `evolve` for each of its events, and read it
 *    with `Aggregate.load`.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/08-event-sourcing/01-fold/exercise.ts`.
 */
import { Effect } from "effect"
import { Aggregate } from "effect-lifecycle/domain"
import type { EventStore } from "effect-lifecycle/store"
import { Closed, type Event, Opened, Released, Reserved, State } from "./events.ts"

/** The state before the first event. */
export const start = (): State => ({ version: 0, open: false, seats: 0, taken: {} })

/** The state after one more event. */
export const evolve = (state: State, _event: Event): State => state

/** The state after some events. */
export const replay = (_events: ReadonlyArray<Event>, from: State = start()): State => from

/** The same for the library. */
export const Show = Aggregate.make({
  name: "Show",
  state: State,
  initial: start(),
  commands: [],
  events: [Opened, Reserved, Released, Closed],
  decide: {},
  evolve: {
    Opened: (state) => state,
    Reserved: (state) => state,
    Released: (state) => state,
    Closed: (state) => state
  }
})

/** A show as the store knows it. */
export const load = (
  _id: string
): Effect.Effect<
  Aggregate.Loaded<State>,
  Aggregate.LoadError,
  EventStore.EventStore
> => Effect.succeed({ state: Show.initial, version: 0 })

if (import.meta.main) {
  console.log(replay([
    { _tag: "Opened", seats: 100 },
    { _tag: "Reserved", customer: "ada", seats: 2 },
    { _tag: "Released", customer: "ada", seats: 1 },
    { _tag: "Closed" }
  ]))
}
