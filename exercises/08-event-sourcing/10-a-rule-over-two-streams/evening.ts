/** The rules of the house, and what events are called by. Given; there is nothing to change here. */
import { Data, type Effect } from "effect"
import type { DynamicConsistencyBoundary, EventStore } from "effect-lifecycle/store"

/** So many seats has each show. */
export const seatsOfShow = 3

/** So many seats may a customer have this evening, whatever shows they are for. */
export const seatsOfCustomer = 2

/** The show has no seat left; nothing was stored. */
export class SoldOut extends Data.TaggedError("SoldOut")<{ readonly show: string }> {}

/** The customer has as many seats as one may have; nothing was stored. */
export class Enough extends Data.TaggedError("Enough")<{ readonly customer: string }> {}

/** A seat, please. */
export interface Request {
  /** The same when somebody who got no answer asks again. */
  readonly key: string
  readonly show: string
  readonly customer: string
}

/** What the store itself may fail with. */
export type StoreFailed =
  | Effect.Error<ReturnType<EventStore.EventStore["Service"]["append"]>>
  | DynamicConsistencyBoundary.Refusal
  | DynamicConsistencyBoundary.DecisionOvertaken

/** The tags of the house. The office gives each `Cancelled` those of its show and of its customer. */
export const tagOf = {
  show: (id: string): string => `show:${id}`,
  customer: (id: string): string => `customer:${id}`,
  request: (key: string): string => `request:${key}`
}

/** How many seats these events leave taken: those reserved, without those given back. */
export const taken = (events: ReadonlyArray<{ readonly type: string }>): number =>
  events.reduce((seats, { type }) => seats + (type === "Reserved" ? 1 : type === "Cancelled" ? -1 : 0), 0)
