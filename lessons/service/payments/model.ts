/** Money that changed hands: the definitions of the payments service. */
import { Effect, Schema } from "effect"
import { Aggregate, Command, DomainEvent, Query } from "effect-lifecycle/domain"
import { StateStore } from "effect-lifecycle/store"
import { UserId } from "../users/model.ts"

export const PaymentId = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{1,64}$/))
export const Amount = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 10_000_000_000 }))

export const Payment = Schema.Struct({
  id: PaymentId,
  orderId: Schema.String,
  userId: UserId,
  /** In cents. */
  amount: Amount,
  status: Schema.Literals(["charged", "refunded"])
})
export type Payment = typeof Payment.Type

export const VersionedPayment = Schema.Struct({ version: Schema.Int, payment: Payment })

export class PaymentNotFound extends Schema.TaggedError<PaymentNotFound>()("PaymentNotFound", { id: Schema.String }) {
  override get message(): string {
    return `There is no payment "${this.id}"`
  }
}

/** The users service does not know the payer, or says that the account is closed. */
export class PayerRefused extends Schema.TaggedError<PayerRefused>()("PayerRefused", {
  userId: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `User "${this.userId}" cannot pay: ${this.reason}`
  }
}

/** The users service could not be asked in time. */
export class PayerUnknown extends Schema.TaggedError<PayerUnknown>()("PayerUnknown", {
  userId: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `Could not ask for user "${this.userId}": ${this.reason}`
  }
}

export const Pay = Command.make("payments.Pay", {
  description: "Asks the users service whether the user may pay, then charges",
  payload: { id: PaymentId, orderId: Schema.String.check(Schema.isMinLength(1)), userId: UserId, amount: Amount },
  success: VersionedPayment,
  error: Schema.Union([PayerRefused, PayerUnknown])
})

export const Charge = Command.make("payments.Charge", {
  description: "Takes the money for an order",
  payload: { id: PaymentId, orderId: Schema.String.check(Schema.isMinLength(1)), userId: UserId, amount: Amount },
  success: VersionedPayment,
  aggregateId: (payload) => payload.id
})

export const Refund = Command.make("payments.Refund", {
  description: "Gives the money of a payment back, once",
  payload: { id: PaymentId },
  success: VersionedPayment,
  error: PaymentNotFound,
  aggregateId: (payload) => payload.id
})

export const ById = Query.make("payments.ById", {
  description: "One payment",
  payload: { id: PaymentId },
  success: VersionedPayment,
  error: PaymentNotFound
})

const PaymentCharged = DomainEvent.make("PaymentCharged", {
  schema: { orderId: Schema.String, userId: UserId, amount: Amount }
})

const PaymentRefunded = DomainEvent.make("PaymentRefunded", { schema: {} })

export const PaymentEvents = { PaymentCharged, PaymentRefunded }

export const payments = StateStore.collection({ name: "payments", schema: Payment, indexes: ["orderId"] })

const State = Schema.Struct({
  status: Schema.Literals(["none", ...Payment.fields.status.literals]),
  orderId: Schema.String,
  userId: Schema.String,
  amount: Schema.Int
})

/** The payment of a state that has one. */
export const toPayment = ({ amount, orderId, status, userId }: typeof State.Type, id: string): Payment => ({
  id,
  orderId,
  userId,
  amount,
  status: status === "none" ? "charged" : status
})

export const PaymentAggregate = Aggregate.make({
  name: "Payment",
  state: State,
  initial: { status: "none", orderId: "", userId: "", amount: 0 },
  commands: [Charge, Refund],
  events: [PaymentCharged, PaymentRefunded],
  decide: {
    "payments.Charge": (state, { orderId, userId, amount }) =>
      Effect.succeed(state.status === "none" ? [PaymentCharged.make({ orderId, userId, amount })] : []),
    "payments.Refund": (state, { id }) =>
      state.status === "none"
        ? Effect.fail(new PaymentNotFound({ id }))
        : Effect.succeed(state.status === "charged" ? [PaymentRefunded.make({})] : [])
  },
  evolve: {
    PaymentCharged: (_state, { orderId, userId, amount }) => ({
      status: "charged" as const,
      orderId,
      userId,
      amount
    }),
    PaymentRefunded: (state) => ({ ...state, status: "refunded" as const })
  },
  projection: {
    collection: payments,
    state: (state, id) => state.status === "none" ? undefined : toPayment(state, id)
  }
})
