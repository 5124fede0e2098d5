/** What the payments service does with each command and query. */
import { Effect, Option } from "effect"
import { Domain, Mediator } from "effect-lifecycle/domain"
import { StateStore } from "effect-lifecycle/store"
import { UsersClient } from "../shared/UsersClient.ts"
import { ById, Charge, Pay, PaymentAggregate, PaymentNotFound, payments, Refund, toPayment } from "./model.ts"

const find = (id: string) => StateStore.StateStore.use((store) => store.get(payments, id))

export const paymentsHandlers = [
  Domain.handler(Pay, (payload, { commandId }) =>
    Effect.gen(function*() {
      // Who asks again about money that was taken is told so, whatever has become of the payer since.
      if (Option.isNone(yield* find(payload.id))) {
        yield* UsersClient.use((client) => client.assertActive(payload.userId))
      }
      return yield* Mediator.send(Charge, payload, { commandId })
    })),
  Domain.aggregateHandler(Charge, PaymentAggregate, {
    reply: (state, _events, version, id) => ({ version, payment: toPayment(state, id) })
  }),
  Domain.aggregateHandler(Refund, PaymentAggregate, {
    reply: (state, _events, version, id) => ({ version, payment: toPayment(state, id) })
  }),
  Domain.handler(ById, ({ id }) =>
    Effect.gen(function*() {
      const row = yield* find(id)
      if (Option.isNone(row)) return yield* new PaymentNotFound({ id })
      return { version: row.value.version, payment: row.value.state }
    }))
] as const

export const PaymentsDomain = Domain.toLayer(paymentsHandlers)
