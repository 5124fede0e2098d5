/** The payments service over HTTP: routes that only translate to commands and queries. */
import { Effect, Schema } from "effect"
import { Mediator } from "effect-lifecycle/domain"
import { Authentication, Conditional, Exchange, Problems } from "effect-lifecycle/server"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { asCaller, idOfKey } from "../shared/Caller.ts"
import { described, problems } from "../shared/problems.ts"
import { UserId } from "../users/model.ts"
import { Amount, ById, Pay, PayerRefused, PayerUnknown, Payment, PaymentId, PaymentNotFound, Refund } from "./model.ts"

const changes = ["POST /payments", "POST /payments/:id/refund"]

export class PaymentsApi extends HttpApi.make("payments").add(
  HttpApiGroup.make("payments").add(
    HttpApiEndpoint.post("charge", "/payments", {
      payload: Schema.Struct({ orderId: Schema.String.check(Schema.isMinLength(1)), userId: UserId, amount: Amount }),
      success: Payment.pipe(HttpApiSchema.status(201)),
      error: [problems.error(PayerRefused), problems.error(PayerUnknown)]
    }),
    HttpApiEndpoint.post("refund", "/payments/:id/refund", {
      params: { id: PaymentId },
      success: Payment,
      error: problems.error(PaymentNotFound)
    }),
    HttpApiEndpoint.get("byId", "/payments/:id", {
      params: { id: PaymentId },
      success: Payment,
      error: problems.error(PaymentNotFound)
    })
  )
).annotate(HttpApi.ParseOptions, Problems.allErrors).annotate(OpenApi.Title, "Payments").annotate(
  OpenApi.Transform,
  described(changes, {
    IdempotencyKeyMissing: ["POST /payments"],
    IdempotencyKeyRunning: changes,
    IdempotencyKeyMismatch: changes
  })
) {}

const answer = ({ payment, version }: { readonly payment: Payment; readonly version: number }) =>
  Effect.as(Conditional.setVersion(version), payment)

export const PaymentsHttp = HttpApiBuilder.group(PaymentsApi, "payments", (handlers) =>
  handlers.handleAll({
    charge: ({ payload }) =>
      Effect.gen(function*() {
        const { commandId, id } = yield* idOfKey("pay")
        yield* Exchange.setHeader("location", `/payments/${id}`)
        return yield* Effect.flatMap(Mediator.send(Pay, { id, ...payload }, { commandId }), answer)
      }).pipe(asCaller),
    // Asked twice, it has happened once: the payment's own id says what is meant.
    refund: ({ params }) =>
      Effect.gen(function*() {
        const { id } = yield* Authentication.CurrentUser
        if (id !== "orders-service") return yield* new Authentication.Forbidden()
        return yield* Effect.flatMap(Mediator.send(Refund, params), answer)
      }).pipe(asCaller),
    byId: ({ params }) => Mediator.query(ById, params).pipe(Effect.flatMap(answer), asCaller)
  }))
