/** What the orders service asks the payments service. */
import { Context, Effect, Layer, Schema, type Scope } from "effect"
import { ClientStack, IdempotencyKey } from "effect-lifecycle/client"
import { type HttpClient, HttpClientRequest, HttpClientResponse } from "effect/http"
import { type Order, PaymentFailed } from "../orders/model.ts"
import { Payment } from "../payments/model.ts"
import * as ServiceClient from "./ServiceClient.ts"

/** Nobody knows whether payments has done what it was asked: there was no answer, or one that says nothing about that. */
export class PaymentsUnclear
  extends Schema.TaggedError<PaymentsUnclear>()("PaymentsUnclear", { reason: Schema.String })
{
  override get message(): string {
    return `Nobody knows what payments has done: ${this.reason}`
  }
}

export class PaymentsClient extends Context.Service<PaymentsClient, {
  /** Charges an order once, however often it is asked under one key. `PaymentFailed` says that nothing was charged. */
  readonly charge: (
    order: Pick<Order, "id" | "total" | "userId">,
    key: string
  ) => Effect.Effect<Payment, PaymentFailed | PaymentsUnclear>
  /** Gives the money of a payment back, once, however often it is asked. */
  readonly refund: (paymentId: string, key: string) => Effect.Effect<void, PaymentsUnclear>
}>()("lessons/service/PaymentsClient") {
  static readonly layer = (
    options: Parameters<typeof ServiceClient.make>[0]
  ): Layer.Layer<PaymentsClient, never, HttpClient.HttpClient> =>
    Layer.effect(
      PaymentsClient,
      Effect.map(ServiceClient.make(options), (client) => {
        // The key makes it safe to ask again, so the client does.
        const post = (
          request: HttpClientRequest.HttpClientRequest,
          route: string,
          key: string
        ): Effect.Effect<HttpClientResponse.HttpClientResponse, PaymentsUnclear, Scope.Scope> =>
          client.execute(request).pipe(
            IdempotencyKey.provide(key),
            ClientStack.route(route),
            Effect.mapError(() => unclear())
          )
        return PaymentsClient.of({
          charge: Effect.fn("PaymentsClient.charge")(function*(order, key) {
            const body = { orderId: order.id, userId: order.userId, amount: order.total }
            const request = HttpClientRequest.post("/payments").pipe(HttpClientRequest.bodyJsonUnsafe(body))
            const response = yield* post(request, "/payments", key)
            if (response.status === 201) return yield* Effect.mapError(decodePayment(response), () => unclear(response))
            // Only payments itself can know that nothing was charged, and it says so with this one answer.
            const problem = yield* Effect.mapError(decodeProblem(response), () => unclear(response))
            if (response.status !== 409 || problem.type !== "urn:problem:payer-refused") return yield* unclear(response)
            return yield* new PaymentFailed({ orderId: order.id, reason: ServiceClient.reasonOf("payments", response) })
          }, Effect.scoped),
          refund: Effect.fn("PaymentsClient.refund")(function*(paymentId, key) {
            const route = "/payments/{id}/refund"
            const request = HttpClientRequest.post(ClientStack.expand(route, { id: paymentId }))
            const response = yield* post(request, route, key)
            if (response.status !== 200) return yield* unclear(response)
          }, Effect.scoped)
        })
      })
    )
}

const unclear = (response?: { readonly status: number }) =>
  new PaymentsUnclear({ reason: ServiceClient.reasonOf("payments", response) })

const decodePayment = HttpClientResponse.schemaBodyJson(
  Schema.Struct({ ...Payment.fields, status: Schema.Literal("charged") })
)
const decodeProblem = HttpClientResponse.schemaBodyJson(Schema.Struct({ type: Schema.String }))
