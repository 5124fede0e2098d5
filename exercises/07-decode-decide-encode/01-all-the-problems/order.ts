/** What an order looks like on the wire. Given; there is nothing to change here. */
import { Schema } from "effect"

export const NewOrder = Schema.Struct({
  customer: Schema.NonEmptyString,
  email: Schema.String.check(Schema.isPattern(/^[^@\s]+@[^@\s]+$/)),
  password: Schema.String.check(Schema.isMinLength(12)),
  lines: Schema.NonEmptyArray(Schema.Struct({
    sku: Schema.NonEmptyString,
    quantity: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 99 }))
  }))
})

export type NewOrder = typeof NewOrder.Type

/** One thing that is wrong with a request. */
export interface Fault {
  /** Where: `/lines/1/quantity`, counted from 0; the whole body is the empty string. */
  readonly pointer: string
  /** What is expected there. */
  readonly detail: string
}
