/** A show, its events, and a place for snapshots. Given; there is nothing to change here. */
import { Data, type Effect } from "effect"
import type { EventStore } from "effect-lifecycle/store"

/** What the store itself may fail with. */
export type StoreFailed = Effect.Error<ReturnType<EventStore.EventStore["Service"]["append"]>>

/** The seats are gone; nothing was stored. */
export class Rejected extends Data.TaggedError("Rejected")<{ readonly free: number }> {}

/** Somebody else was faster; nothing was stored. */
export class Conflict extends Data.TaggedError("Conflict")<{ readonly expected: number; readonly actual: number }> {}

/** The place for snapshots does not answer. */
export class SnapshotsDown extends Data.TaggedError("SnapshotsDown")<{}> {}

export type Event =
  | { readonly type: "Opened"; readonly data: { readonly seats: number } }
  | { readonly type: "Reserved"; readonly data: { readonly customer: string } }

export interface State {
  readonly free: number
  /** How many seats each customer has. */
  readonly seats: Readonly<Record<string, number>>
}

export const initial: State = { free: 0, seats: {} }

/** What an event makes of a state. It was changed last month: since then it counts the seats of each customer. */
export const evolve = (state: State, event: Event): State =>
  event.type === "Opened"
    ? { ...state, free: event.data.seats }
    : {
      free: state.free - 1,
      seats: { ...state.seats, [event.data.customer]: (state.seats[event.data.customer] ?? 0) + 1 }
    }

/** The number of the present `evolve`: another one has made another state of the same events. */
export const schema = 2

/** A state, and which events are in it. */
export interface Snapshot {
  readonly schema: number
  readonly version: number
  readonly state: State
}

/** Where snapshots are kept: one for each show. It is a cache, on a machine of its own. */
export interface Snapshots {
  readonly get: (show: string) => Effect.Effect<Snapshot | undefined, SnapshotsDown>
  readonly put: (show: string, snapshot: Snapshot) => Effect.Effect<void, SnapshotsDown>
}

/** A snapshot is taken when the version reaches, or passes, a multiple of this. */
export const every = 10

/** What is asked: a seat for each of them. */
export interface Request {
  readonly show: string
  readonly customers: ReadonlyArray<string>
}

/** What happens because of a request, or why nothing does. */
export const decide = (state: State, { customers }: Request): ReadonlyArray<Event> | Rejected =>
  customers.length > state.free
    ? new Rejected({ free: state.free })
    : customers.map((customer) => ({ type: "Reserved", data: { customer } }))
