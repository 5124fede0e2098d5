// fails: b - leaves a customer with no seats in the list
import type { Event, State } from "../events.ts"
import { evolve as right, start } from "../solution.ts"

export * from "../solution.ts"

export const evolve = (state: State, event: Event): State => {
  const next = right(state, event)
  return event._tag === "Released" ? { ...next, taken: { [event.customer]: 0, ...next.taken } } : next
}

export const replay = (events: ReadonlyArray<Event>, from: State = start()): State => events.reduce(evolve, from)
