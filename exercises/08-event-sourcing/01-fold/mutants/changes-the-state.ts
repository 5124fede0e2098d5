// fails: c - writes to the state that it got, which is short and works once
import { type Event, type State, UnknownType } from "../events.ts"
import { start } from "../solution.ts"

export * from "../solution.ts"

export const evolve = (state: State, event: Event): State => {
  const next = state as { -readonly [K in keyof State]: State[K] }
  const taken = state.taken as Record<string, number>
  next.version++
  if (event._tag === "Opened") Object.assign(next, { open: true, seats: event.seats })
  else if (event._tag === "Closed") next.open = false
  else if (event._tag === "Reserved") taken[event.customer] = (taken[event.customer] ?? 0) + event.seats
  else if (event._tag === "Released") {
    taken[event.customer] = (taken[event.customer] ?? 0) - event.seats
    if (taken[event.customer] === 0) delete taken[event.customer]
  } else throw new UnknownType((event as { readonly _tag: string })._tag)
  return next
}

export const replay = (events: ReadonlyArray<Event>, from: State = start()): State =>
  events.reduce(evolve, { ...from, taken: { ...from.taken } })
