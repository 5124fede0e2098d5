/** The payments service over HTTP: routes that only translate to commands and queries. */
import { Effect, Schema } from "effect"
import { Mediator } from "effect-lifecycle/domain"
import { Conditional, Exchange, Problems } from "effect-lifecycle/server"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { asCaller, idOfKey } from "../shared/Caller.ts"
import { problems } from "../shared/problems.ts"
import { UserId } from "../users/model.ts"
import { Amount, ById, Pay, PayerRefused, PayerUnknown, Payment, PaymentId, PaymentNotFound } from "./model.ts"

export class PaymentsApi extends HttpApi.make("payments").add(
  HttpApiGroup.make("payments").add(
    HttpApiEndpoint.post("charge", "/payments", {
      payload: Schema.Struct({ orderId: Schema.String.check(Schema.isMinLength(1)), userId: UserId, amount: Amount }),
      success: Payment.pipe(HttpApiSchema.status(201)),
      error: [problems.error(PayerRefused), problems.error(PayerUnknown)]
    }),
    HttpApiEndpoint.get("byId", "/payments/:id", {
      params: { id: PaymentId },
      success: Payment,
      error: problems.error(PaymentNotFound)
    })
  )
).annotate(HttpApi.ParseOptions, Problems.allErrors).annotate(OpenApi.Title, "Payments") {}

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
    byId: ({ params }) => Mediator.query(ById, params).pipe(Effect.flatMap(answer), asCaller)
  }))
