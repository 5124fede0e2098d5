/** A show in the theatre: what may be asked, what may have happened, and the state. Given; there is nothing to change here. */
import { Data, Schema } from "effect"
import { Command as CommandDefinition, DomainEvent } from "effect-lifecycle/domain"

/** What is asked. `at` is the time when it was asked. */
export type Command =
  | { readonly _tag: "Open"; readonly seats: number; readonly at: number }
  | { readonly _tag: "Reserve"; readonly customer: string; readonly seats: number; readonly at: number }
  | { readonly _tag: "Release"; readonly customer: string; readonly seats: number; readonly at: number }
  | { readonly _tag: "Close"; readonly at: number }

/** What has happened. */
export type Event =
  | { readonly _tag: "Opened"; readonly seats: number; readonly at: number }
  | { readonly _tag: "Reserved"; readonly customer: string; readonly seats: number; readonly at: number }
  | { readonly _tag: "Released"; readonly customer: string; readonly seats: number; readonly at: number }
  | { readonly _tag: "Closed"; readonly at: number }

export const reasons = ["AlreadyOpen", "NotOpen", "BadNumber", "TooManyForOne", "SoldOut", "NotYours"] as const

/** Why a command is not obeyed. */
export class Rejected extends Data.TaggedError("Rejected")<{ readonly reason: typeof reasons[number] }> {}

export const State = Schema.Struct({
  open: Schema.Boolean,
  seats: Schema.Int,
  /** Seats by customer; a customer without seats is not in it. */
  taken: Schema.Record(Schema.String, Schema.Int)
})

export type State = typeof State.Type

export const start: State = { open: false, seats: 0, taken: {} }

/** How many seats are taken. */
export const sold = (state: State): number => Object.values(state.taken).reduce((sum, seats) => sum + seats, 0)

/** The state after one more event. */
export const evolve = (state: State, event: Event): State => {
  switch (event._tag) {
    case "Opened":
      return { ...state, open: true, seats: event.seats }
    case "Reserved":
      return { ...state, taken: { ...state.taken, [event.customer]: (state.taken[event.customer] ?? 0) + event.seats } }
    case "Released": {
      const { [event.customer]: seats = 0, ...others } = state.taken
      return { ...state, taken: seats === event.seats ? others : { ...others, [event.customer]: seats - event.seats } }
    }
    case "Closed":
      return { ...state, open: false }
  }
}

/** The state after some events. */
export const replay = (events: ReadonlyArray<Event>): State => events.reduce(evolve, start)

/** The definitions that the library needs: one command and two events. */
export const Reserve = CommandDefinition.make("shows.Reserve", {
  payload: { show: Schema.String, customer: Schema.String, seats: Schema.Finite, at: Schema.Finite },
  error: Schema.Struct({ _tag: Schema.tag("Rejected"), reason: Schema.Literals(reasons) }),
  aggregateId: (payload) => payload.show
})
export const Opened = DomainEvent.make("Opened", { schema: { seats: Schema.Int, at: Schema.Finite } })
export const Reserved = DomainEvent.make("Reserved", {
  schema: { customer: Schema.String, seats: Schema.Int, at: Schema.Finite }
})
