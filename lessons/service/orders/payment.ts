/**
 * Paying an order is a saga: the order is kept, the money is taken at payments, the payment is noted. What fails is undone in
 * reverse; what nobody knows is asked again, under the same key, until somebody knows.
 *
 * The saga goes on where its process died, and in any process of orders. Each attempt to pay is a saga of its own, so an
 * order whose payer was refused can be paid later; the order itself lets one attempt in at a time.
 */
import { Clock, Duration, Effect, Option, Schedule, Schema } from "effect"
import { Aggregate, Mediator, Saga } from "effect-lifecycle/domain"
import { Deadline } from "effect-lifecycle/request"
import { newId } from "../shared/Caller.ts"
import { PaymentsClient } from "../shared/PaymentsClient.ts"
import {
  ById,
  MarkPaid,
  OrderAggregate,
  OrderClosed,
  OrderId,
  OrderNotFound,
  PaymentFailed,
  PaymentPending,
  RefundInDoubt,
  Release,
  Reserve
} from "./model.ts"

export const PayOrder = Saga.make({
  name: "PayOrder",
  input: Schema.Struct({
    orderId: OrderId,
    /** Until when somebody waits for the answer, in milliseconds since 1970; nobody knows when absent. */
    until: Schema.optionalKey(Schema.Int)
  }),
  error: Schema.Union([PaymentFailed, Reserve.errorSchema, MarkPaid.errorSchema]),
  compensationRetry: Schedule.upTo(Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("1 minute")]), {
    times: 60
  }),
  // While a refund is in doubt the order stays with its attempt, so that no other one charges it.
  whenCompensationFails: "stop"
})
  .step("reserve", {
    result: Schema.Struct({ userId: Schema.String, total: Schema.Int }),
    inDoubt: "repeat",
    run: ({ id, input, key }) =>
      Mediator.send(Reserve, { id: input.orderId, attempt: id }, { commandId: key }).pipe(
        Effect.retry({ times: 5, while: ({ _tag }) => _tag === "ConcurrencyConflict" })
      ),
    compensate: ({ id, input, key }) => Mediator.send(Release, { id: input.orderId, attempt: id }, { commandId: key })
  })
  .step("charge", {
    result: Schema.Struct({ paymentId: Schema.String }),
    inDoubt: "repeat",
    timeout: "15 seconds",
    run: ({ input, key, results }) =>
      PaymentsClient.use((client) => client.charge({ id: input.orderId, ...results.reserve }, key)).pipe(
        whileSomebodyWaits(input.until),
        // It is no failure, which would say that nothing was charged. What ends like a bug is in doubt.
        Effect.catchTag("PaymentsUnclear", (error) =>
          Effect.andThen(
            Effect.annotateLogs(Effect.logWarning("payment in doubt"), { reason: error.reason }),
            Effect.die(error)
          )),
        Effect.map(({ id }) => ({ paymentId: id }))
      ),
    compensate: ({ key }, { paymentId }) => PaymentsClient.use((client) => client.refund(paymentId, key))
  })
  .step("confirm", {
    inDoubt: "repeat",
    retry: Schedule.upTo(Schedule.spaced("1 second"), { times: 5 }),
    run: ({ id, input, key, results }) =>
      Mediator.send(
        MarkPaid,
        { id: input.orderId, attempt: id, paymentId: results.charge.paymentId },
        { commandId: key }
      )
  })

/** Hands on the time of whoever waits. When it is over nobody does, and the call takes the time that it needs. */
const whileSomebodyWaits =
  (until: number | undefined) => <A, E, R>(call: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      if (until === undefined || until <= now) return yield* call
      const deadline = yield* Deadline.fromRemaining(until - now)
      return yield* Effect.provideService(call, Deadline.Current, Option.some(deadline))
    })

/** Runs the attempts of this process, and those whose process has died. */
export const PaymentLayer = Saga.layer([PayOrder], {
  lease: "5 seconds",
  drain: "5 seconds",
  // Payments is asked for the better part of an hour. Then a person is.
  attempts: 100,
  backoff: Schedule.min([Schedule.exponential("500 millis"), Schedule.spaced("30 seconds")])
})

/** Pays an order, or joins the attempt that does, and answers as that ends. */
export const pay = Effect.fn("orders.pay")(function*(id: string) {
  while (true) {
    const state = yield* stateOf(id)
    if (state.status === "none") return yield* new OrderNotFound({ id })
    if (state.status === "cancelled") return yield* new OrderClosed({ id, status: state.status, wanted: "paid" })
    if (state.status === "paid") return yield* Mediator.query(ById, { id })
    const attempt = state.status === "paying" && state.attempt !== undefined ? state.attempt : yield* begin(id)
    // Ended well, or behind another one that was quicker: then the order says how it stands.
    yield* Effect.catchTag(ended(id, attempt), "BeingPaid", () => Effect.void)
  }
})

const stateOf = (id: string) =>
  Aggregate.load(OrderAggregate, id).pipe(
    Effect.catchTags({ UnknownEvent: Effect.die, InvalidEvent: Effect.die, PersonalDataUnreadable: Effect.die }),
    Effect.map(({ state }) => state)
  )

const begin = (orderId: string) =>
  Effect.gen(function*() {
    const attempt = yield* newId("attempt")
    const left = yield* Deadline.remaining
    const now = yield* Clock.currentTimeMillis
    const until = Option.map(left, (left) => ({ until: Math.ceil(now + Duration.toMillis(left)) }))
    yield* Effect.catchTags(
      Saga.start(PayOrder, { id: attempt, input: { orderId, ...Option.getOrUndefined(until) } }),
      {
        InvalidSaga: Effect.die,
        SagaMismatch: Effect.die
      }
    )
    return attempt
  })

/**
 * Waits for an attempt, but not for payments to come back. One that is parked is taken up again: asking decides nothing. Only a
 * refund that was given up is left to a person.
 */
const ended = (orderId: string, attempt: string) =>
  Effect.gen(function*() {
    const first = yield* outcomeOf(attempt)
    const outcome = first._tag === "Parked" && !isRefundInDoubt(first)
      ? yield* Effect.andThen(Saga.resume(PayOrder, attempt), outcomeOf(attempt))
      : first
    switch (outcome._tag) {
      case "Completed":
        return
      case "Compensated":
        return yield* Effect.catchTags(Effect.failCause(outcome.cause), {
          CircuitOpen: Effect.die,
          SagaOverdue: Effect.die
        })
      case "Cancelled":
        return yield* new PaymentFailed({ orderId, reason: "the payment was cancelled" })
      case "Delayed":
        return yield* pending(orderId, outcome.backward ? "undoing" : "charging")
      case "Parked":
        return yield* isRefundInDoubt(outcome) ? new RefundInDoubt({ orderId, attempt }) : pending(orderId, "held")
      case "Abandoned":
      case "Gone": {
        // A person has ended it as it was, and the order says what that was.
        const state = yield* stateOf(orderId)
        if (state.attempt === attempt && state.status === "paying") return yield* pending(orderId, "held")
        if (state.status === "placed") {
          return yield* new PaymentFailed({ orderId, reason: "the payment was given up" })
        }
      }
    }
  })

const isRefundInDoubt = ({ reason, step }: { readonly reason: string; readonly step: string | undefined }) =>
  reason === "CompensationFailed" && step === "charge"

const outcomeOf = (attempt: string) =>
  Effect.catchTags(Saga.waitUnlessDelayed(PayOrder, attempt), {
    // It ended so long ago that its journal was pruned.
    SagaNotFound: () => Effect.succeed({ _tag: "Gone" as const }),
    SagaUnreadable: Effect.die
  })

const pending = (orderId: string, state: PaymentPending["state"]) =>
  Effect.gen(function*() {
    const left = yield* Deadline.remaining
    // The caller's time is up as well: the server is about to say so.
    if (Option.exists(left, (left) => Duration.toMillis(left) < 50)) return yield* Effect.never
    return yield* new PaymentPending({ orderId, state })
  })
