// fails: e - has no use for one event yet, and lets it pass
import type { Effect } from "effect"
import { Aggregate } from "effect-lifecycle/domain"
import type { EventStore } from "effect-lifecycle/store"
import { Closed, Opened, Released, Reserved, State } from "../events.ts"
import { evolve, start } from "../solution.ts"

export * from "../solution.ts"

export const Show = Aggregate.make({
  name: "Show",
  state: State,
  initial: start(),
  commands: [],
  events: [Opened, Reserved, Released, Closed],
  decide: {},
  evolve: { Opened: evolve, Reserved: evolve, Released: (state) => state, Closed: evolve }
})

export const load = (
  id: string
): Effect.Effect<
  Aggregate.Loaded<State>,
  Aggregate.LoadError,
  EventStore.EventStore
> => Aggregate.load(Show, id)
