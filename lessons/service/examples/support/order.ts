/** The order of the saga examples: reserve, charge, ship, and what undoes each. */
import { Effect, Schema } from "effect"
import { Saga } from "effect-lifecycle/domain"

export class InvalidAddress extends Schema.TaggedError<InvalidAddress>()("InvalidAddress", {}) {
  override get message(): string {
    return "Shipping address is required"
  }
}

/** What the services of the example have done. */
export const done: Array<string> = []
export const note = (what: string): Effect.Effect<void> => Effect.sync(() => void done.push(what))

/** `before` runs in front of a step, for examples that stop there. */
export const orderSaga = (before: (step: string) => Effect.Effect<void> = () => Effect.void) =>
  Saga.make({
    name: "orders.Order",
    input: Schema.Struct({ items: Schema.Array(Schema.String), amount: Schema.Finite, address: Schema.String }),
    error: InvalidAddress
  })
    .step("reserve", {
      result: Schema.Struct({ reservation: Schema.String }),
      inDoubt: "repeat",
      run: ({ id, input }) =>
        before("reserve").pipe(
          Effect.andThen(note(`reserved ${input.items.join(", ")}`)),
          Effect.as({ reservation: `reservation_${id}` })
        ),
      compensate: (_, { reservation }) => note(`released ${reservation}`)
    })
    .step("charge", {
      result: Schema.Struct({ payment: Schema.String }),
      inDoubt: "repeat",
      run: ({ id, input }) =>
        before("charge").pipe(
          Effect.andThen(note(`charged $${input.amount.toFixed(2)}`)),
          Effect.as({ payment: `payment_${id}` })
        ),
      compensate: (_, { payment }) => note(`refunded ${payment}`)
    })
    .step("ship", {
      result: Schema.Struct({ tracking: Schema.String }),
      inDoubt: "repeat",
      run: ({ id, input }) =>
        input.address === ""
          ? new InvalidAddress()
          : Effect.andThen(before("ship"), Effect.as(note("shipped"), { tracking: `TRACK_${id}` }))
    })
