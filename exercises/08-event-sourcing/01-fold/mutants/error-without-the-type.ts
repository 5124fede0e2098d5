// fails: d - fails, and does not say because of what
import { type Event, type State, UnknownType } from "../events.ts"
import { evolve as known, start } from "../solution.ts"

export * from "../solution.ts"

export const evolve = (state: State, event: Event): State => {
  try {
    return known(state, event)
  } catch {
    throw new UnknownType("unknown")
  }
}

export const replay = (events: ReadonlyArray<Event>, from: State = start()): State => events.reduce(evolve, from)
