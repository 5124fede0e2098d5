/**
 * The desk: what people do about payments that wait for them. Nothing here is written for HTTP or RPC; both are made of the
 * same definitions, and run the same handlers.
 */
import { Effect, Layer, Option, Schema } from "effect"
import { Command, Domain, Mediator, Query, RpcCaller, Saga } from "effect-lifecycle/domain"
import { HttpApiBuilder } from "effect/http-api"
import { RpcSerialization, RpcServer } from "effect/rpc"
import { asActor, asCaller } from "../shared/Caller.ts"
import { problems } from "../shared/problems.ts"
import { MarkPaid, OrderClosed, OrderId, OrderNotFound, Release } from "./model.ts"
import { PayOrder } from "./payment.ts"

/** The token that may do what this file has. */
export const scope = "payments.settle"

export const Held = Schema.Struct({
  attempt: Schema.String,
  orderId: Schema.optionalKey(OrderId),
  reason: Schema.String,
  step: Schema.optionalKey(Schema.String),
  message: Schema.String,
  since: Schema.Date
})

/** The attempt is not in a state in which this means something. */
export class NothingToDo extends Schema.TaggedError<NothingToDo>()("NothingToDo", {
  attempt: Schema.String,
  wanted: Schema.String
}) {
  override get message(): string {
    return `The attempt "${this.attempt}" cannot be ${this.wanted}: there is none, or it does not wait, or there is no way back`
  }
}

const attempt = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(255))
const reason = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(500))

export const Waiting = Query.make("desk.Waiting", {
  description: "The payments that wait for a person, the one that waits longest first",
  success: Schema.Array(Held),
  http: { path: "/desk/payments" }
})

export const Resume = Command.make("desk.Resume", {
  description: "Tries a payment that waits again; it decides nothing",
  payload: { attempt },
  error: NothingToDo,
  http: { path: "/desk/payments/:attempt/resumption" }
})

export const Cancel = Command.make("desk.Cancel", {
  description: "Undoes a payment, and gives back what was charged",
  payload: { attempt, reason },
  error: NothingToDo,
  http: { path: "/desk/payments/:attempt/cancellation" }
})

export const Settle = Command.make("desk.Settle", {
  description: "Ends a payment that waits as somebody has found it: paid by this payment, or not paid at all",
  payload: { attempt, reason, paymentId: Schema.optionalKey(Schema.String) },
  error: Schema.Union([NothingToDo, OrderNotFound, OrderClosed]),
  http: { path: "/desk/payments/:attempt/settlement" }
})

/** Which order an attempt is for, and whether a person has ended it already; none where nobody can read that. */
const found = (attempt: string) =>
  Saga.status(PayOrder, attempt).pipe(
    Effect.map(({ input, state }) =>
      input === undefined ? Option.none() : Option.some({ orderId: input.orderId, over: state === "abandoned" })
    ),
    Effect.catchTags({ SagaNotFound: () => Effect.succeedNone, SagaUnreadable: () => Effect.succeedNone })
  )

export const deskHandlers = [
  Domain.handler(Waiting, () =>
    Effect.gen(function*() {
      const parked = yield* Saga.parked({ sagas: [PayOrder] })
      return yield* Effect.forEach(parked, ({ id, message, reason, since, step }) =>
        Effect.map(found(id), (found) => ({
          attempt: id,
          reason,
          message,
          since,
          ...(step === undefined ? {} : { step }),
          ...(Option.isNone(found) ? {} : { orderId: found.value.orderId })
        })))
    })),
  Domain.handler(Resume, ({ attempt }) =>
    Effect.gen(function*() {
      if (!(yield* Saga.resume(PayOrder, attempt))) return yield* new NothingToDo({ attempt, wanted: "resumed" })
    })),
  Domain.handler(Cancel, ({ attempt, reason }) =>
    Effect.gen(function*() {
      if (!(yield* Saga.cancel(PayOrder, attempt, reason))) {
        return yield* new NothingToDo({ attempt, wanted: "cancelled" })
      }
    })),
  Domain.handler(Settle, ({ attempt, paymentId, reason }) =>
    // The saga and the order change together, or not at all.
    Domain.transaction(Effect.gen(function*() {
      const payment = yield* found(attempt)
      if (Option.isNone(payment) || !(payment.value.over || (yield* Saga.abandon(PayOrder, attempt, reason)))) {
        return yield* new NothingToDo({ attempt, wanted: "settled" })
      }
      const order = { id: payment.value.orderId, attempt }
      yield* paymentId === undefined
        ? Mediator.send(Release, order)
        : Mediator.send(MarkPaid, { ...order, paymentId })
    })))
] as const

export const DeskDomain = Domain.toLayer(deskHandlers)

export const DeskApi = Domain.toHttpApi("desk", deskHandlers, { error: problems.error })

export const DeskRpc = Domain.toRpcGroup(deskHandlers).middleware(RpcCaller.RpcCaller)

/** Both ways in, behind the stages of the server; by either one it is kept who has asked. */
export const DeskRoutes = Layer.mergeAll(
  HttpApiBuilder.layer(DeskApi, { openapiPath: "/desk/openapi.json" }).pipe(
    Layer.provide(Domain.toHttpHandlers(DeskApi, "desk", { around: asCaller }))
  ),
  RpcServer.layerHttp({ group: DeskRpc, path: "/desk/rpc", protocol: "http" }).pipe(
    Layer.provide([RpcSerialization.layerJson, RpcCaller.layer({ around: asActor })])
  )
).pipe(Layer.provide(DeskDomain))
