/** The orders service over HTTP: routes that only translate to commands and queries. */
import { Effect, Schema, Stream } from "effect"
import { Mediator } from "effect-lifecycle/domain"
import { Conditional, Exchange, Problems } from "effect-lifecycle/server"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import type { Rpc } from "effect/rpc"
import { asCaller, idOfKey } from "../shared/Caller.ts"
import { described, problems } from "../shared/problems.ts"
import { untilListed } from "./list.ts"
import {
  ById,
  Cancel,
  Events,
  Lines,
  Order,
  OrderClosed,
  OrderEvent,
  OrderId,
  OrderNotFound,
  Pay,
  PaymentFailed,
  PaymentPending,
  Place,
  RefundInDoubt,
  Search,
  Status
} from "./model.ts"
import { UserId } from "../users/model.ts"

const params = { id: OrderId }
const notFound = problems.error(OrderNotFound)
const closed = problems.error(OrderClosed)

const changes = ["POST /orders", "POST /orders/:id/payment", "POST /orders/:id/cancellation"]

export class OrdersApi extends HttpApi.make("orders").add(
  HttpApiGroup.make("orders").add(
    HttpApiEndpoint.post("place", "/orders", {
      payload: Schema.Struct({ userId: UserId, lines: Lines }),
      success: Order.pipe(HttpApiSchema.status(201))
    }),
    HttpApiEndpoint.get("byId", "/orders/:id", { params, success: Order, error: notFound }),
    HttpApiEndpoint.get("search", "/orders", {
      query: {
        userId: Schema.optionalKey(UserId),
        status: Schema.optionalKey(Status),
        limit: Schema.optionalKey(
          Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: 100 }))
        ),
        cursor: Schema.optionalKey(Schema.String)
      },
      success: Search.successSchema
    }),
    HttpApiEndpoint.post("pay", "/orders/:id/payment", {
      params,
      success: Order,
      error: [
        notFound,
        closed,
        problems.error(PaymentFailed),
        problems.error(PaymentPending),
        problems.error(RefundInDoubt)
      ]
    }),
    HttpApiEndpoint.post("cancel", "/orders/:id/cancellation", { params, success: Order, error: [notFound, closed] }),
    HttpApiEndpoint.get("events", "/orders/:id/events", {
      params,
      success: HttpApiSchema.StreamNdjson({ schema: OrderEvent }),
      error: notFound
    })
  )
).annotate(HttpApi.ParseOptions, Problems.allErrors).annotate(OpenApi.Title, "Orders").annotate(
  OpenApi.Transform,
  described(changes, {
    IdempotencyKeyMissing: ["POST /orders"],
    IdempotencyKeyRunning: changes,
    IdempotencyKeyMismatch: changes
  })
) {}

const answer = ({ order, version }: { readonly order: Order; readonly version: number }) =>
  Effect.as(Conditional.setVersion(version), order)

/** The answer of a command: who asks for the list next finds it there. */
const done = (changed: Parameters<typeof answer>[0]) =>
  Effect.andThen(untilListed(changed.order.id, changed.version), answer(changed))

export const OrdersHttp = HttpApiBuilder.group(OrdersApi, "orders", (handlers) =>
  handlers.handleAll({
    place: ({ payload }) =>
      Effect.gen(function*() {
        const { commandId, id } = yield* idOfKey("ord")
        yield* Exchange.setHeader("location", `/orders/${id}`)
        return yield* Effect.flatMap(Mediator.send(Place, { id, ...payload }, { commandId }), done)
      }).pipe(asCaller),
    byId: ({ params }) => Mediator.query(ById, params).pipe(Effect.flatMap(answer), asCaller),
    search: ({ query }) => asCaller(Mediator.query(Search, query)),
    pay: ({ params }) => Mediator.send(Pay, params).pipe(Effect.flatMap(done), asCaller),
    cancel: ({ params }) => Mediator.send(Cancel, params).pipe(Effect.flatMap(done), asCaller),
    events: ({ params }) =>
      Effect.gen(function*() {
        yield* Mediator.query(ById, params)
        // The answer goes on after the handler has returned, so it takes along what it needs.
        const services = yield* Effect.context<Rpc.Handler<typeof Events._tag>>()
        return Mediator.stream(Events, params).pipe(Stream.provideContext(services), Stream.orDie)
      }).pipe(asCaller)
  }))
