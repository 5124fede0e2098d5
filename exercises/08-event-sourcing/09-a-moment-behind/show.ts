/** A show, the list of free seats as it has been for a year, and who waits for a seat. Given; there is nothing to change here. */
import { Context, Effect, Schedule, Schema } from "effect"
import { EventStore, Projection } from "effect-lifecycle/store"

/** What the store itself may fail with. */
export type StoreFailed = Effect.Error<ReturnType<EventStore.EventStore["Service"]["append"]>>

/**
 * What can happen to a show. A part of the house is opened, and another one later; seats are reserved, and given back.
 */
export type What =
  | { readonly type: "Opened"; readonly data: { readonly seats: number } }
  | { readonly type: "Reserved"; readonly data: { readonly customer: string; readonly seats: number } }
  | { readonly type: "Cancelled"; readonly data: { readonly customer: string; readonly seats: number } }

/** A stored event, as what has happened. */
export const whatOf = ({ data, type }: EventStore.StoredEvent): What => ({ data, type }) as What

/** A row of the list: one for each show, under the show's id. */
export const Row = Schema.Struct({ free: Schema.Int })

/** Those who wait for a seat, and get a mail when there is one. */
export class Waiting extends Context.Service<Waiting, {
  readonly mail: (show: string) => Effect.Effect<void>
}>()("exercises/08.9/Waiting") {}

/** The list of last year. It was made before seats could be given back, and has never heard of it. */
export const SeatsOfLastYear = Projection.make({
  name: "free seats",
  version: 1,
  schema: Row,
  categories: ["Show"],
  handle: (event, rows) => {
    const what = whatOf(event)
    return what.type === "Cancelled"
      ? Effect.void
      : rows.modify(event.stream.id, (row) => ({
        free: (row?.free ?? 0) + (what.type === "Opened" ? what.data.seats : -what.data.seats)
      }))
  }
})

/** Stores what has happened to a show, and answers with its position. */
export const happened = (show: string, what: What): Effect.Effect<bigint, StoreFailed, EventStore.EventStore> =>
  EventStore.EventStore.use((store) =>
    store.append({ stream: { category: "Show", id: show }, expect: "any", events: [what] })
  ).pipe(Effect.map((result) => result._tag === "Appended" ? result.position : 0n))

/** How often to ask for something that takes a moment. */
export const often = Schedule.spaced("100 millis")
