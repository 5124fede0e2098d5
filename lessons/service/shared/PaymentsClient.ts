/** What the orders service asks the payments service. */
import { Context, Effect, Layer } from "effect"
import { ClientStack, IdempotencyKey } from "effect-lifecycle/client"
import { type HttpClient, HttpClientRequest, HttpClientResponse } from "effect/http"
import { type Order, PaymentFailed } from "../orders/model.ts"
import { Payment } from "../payments/model.ts"
import * as ServiceClient from "./ServiceClient.ts"

export class PaymentsClient extends Context.Service<PaymentsClient, {
  /** Charges an order once, however often it is asked: the order's id is the idempotency key. */
  readonly charge: (order: Order) => Effect.Effect<Payment, PaymentFailed>
}>()("lessons/service/PaymentsClient") {
  static readonly layer = (
    options: Parameters<typeof ServiceClient.make>[0]
  ): Layer.Layer<PaymentsClient, never, HttpClient.HttpClient> =>
    Layer.effect(
      PaymentsClient,
      Effect.map(ServiceClient.make(options), (client) =>
        PaymentsClient.of({
          charge: Effect.fn("PaymentsClient.charge")(function*(order: Order) {
            const failed = (status?: number) =>
              new PaymentFailed({
                orderId: order.id,
                reason: ServiceClient.reasonOf("payments", status === undefined ? undefined : { status })
              })
            const request = HttpClientRequest.post("/payments").pipe(
              HttpClientRequest.bodyJsonUnsafe({ orderId: order.id, userId: order.userId, amount: order.total })
            )
            // The key makes it safe to ask again, so the client does.
            const response = yield* client.execute(request).pipe(
              IdempotencyKey.provide(order.id),
              ClientStack.route("/payments"),
              Effect.mapError(() => failed())
            )
            if (response.status !== 201) return yield* failed(response.status)
            return yield* Effect.mapError(decodePayment(response), () => failed(response.status))
          }, Effect.scoped)
        }))
    )
}

const decodePayment = HttpClientResponse.schemaBodyJson(Payment)
