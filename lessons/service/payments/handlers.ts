/** What the payments service does with each command and query. */
import { Effect, Option } from "effect"
import { Domain, Mediator } from "effect-lifecycle/domain"
import { StateStore } from "effect-lifecycle/store"
import { UsersClient } from "../shared/UsersClient.ts"
import { ById, Charge, Pay, PaymentAggregate, PaymentNotFound, payments, toPayment } from "./model.ts"

export const paymentsHandlers = [
  Domain.handler(Pay, (payload, { commandId }) =>
    Effect.gen(function*() {
      yield* UsersClient.use((client) => client.assertActive(payload.userId))
      return yield* Mediator.send(Charge, payload, { commandId })
    })),
  Domain.aggregateHandler(Charge, PaymentAggregate, {
    reply: (state, _events, version, id) => ({ version, payment: toPayment(state, id) })
  }),
  Domain.handler(ById, ({ id }) =>
    Effect.gen(function*() {
      const row = yield* StateStore.StateStore.use((store) => store.get(payments, id))
      if (Option.isNone(row)) return yield* new PaymentNotFound({ id })
      return { version: row.value.version, payment: row.value.state }
    }))
] as const

export const PaymentsDomain = Domain.toLayer(paymentsHandlers)
