/** What may have happened to a show in the theatre. Given; there is nothing to change here. */
import { Schema } from "effect"
import { DomainEvent } from "effect-lifecycle/domain"

export type Event =
  | { readonly _tag: "Opened"; readonly seats: number }
  | { readonly _tag: "Reserved"; readonly customer: string; readonly seats: number }
  | { readonly _tag: "Released"; readonly customer: string; readonly seats: number }
  | { readonly _tag: "Closed" }

export const State = Schema.Struct({
  /** How many events made this state. */
  version: Schema.Int,
  open: Schema.Boolean,
  seats: Schema.Int,
  /** Seats by customer; a customer without seats is not in it. */
  taken: Schema.Record(Schema.String, Schema.Int)
})

export type State = typeof State.Type

/** The events as the library stores them. */
export const Opened = DomainEvent.make("Opened", { schema: { seats: Schema.Int } })
export const Reserved = DomainEvent.make("Reserved", { schema: { customer: Schema.String, seats: Schema.Int } })
export const Released = DomainEvent.make("Released", { schema: { customer: Schema.String, seats: Schema.Int } })
export const Closed = DomainEvent.make("Closed", { schema: {} })

/** An event of a type that nobody here knows. */
export class UnknownType extends Error {
  readonly type: string
  constructor(type: string) {
    super(`Nobody knows the event "${type}"`)
    this.type = type
  }
}
