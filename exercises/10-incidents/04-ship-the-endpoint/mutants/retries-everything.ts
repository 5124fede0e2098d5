// fails: b - asks the bank again that has said no (03.2)
import { Duration, Effect, Layer, Option, type Redacted, Schema, Stream } from "effect"
import { Logs } from "effect-lifecycle/observability"
import { Propagation } from "effect-lifecycle/request"
import { CircuitBreaker, Fallback, RetrySchedule } from "effect-lifecycle/resilience"
import { Authentication, Deadlines, Idempotency, Problems, ServerStack } from "effect-lifecycle/server"
import { HttpRouter, type HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { type Order, PaymentsAway, prices, type World } from "../shop.ts"

const NewOrder = Schema.Struct({
  book: Schema.Literals(["dune", "emma"]),
  copies: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10 })),
  card: Schema.RedactedFromValue(Schema.String.check(Schema.isPattern(/^\d{16}$/)))
})

class OrderNotFound extends Schema.TaggedError<OrderNotFound>()("OrderNotFound", {}) {}

const problems = Problems.table({
  CardDeclined: { status: 402, title: "The card was declined" },
  OrderNotFound: { status: 404, title: "There is no such order" },
  PaymentsAway: {
    status: 503,
    title: "Payments cannot be reached",
    stage: "Dependencies",
    headers: () => ({ "retry-after": "1" })
  }
})

const attempts = RetrySchedule.make({ attempts: 3, delay: RetrySchedule.exponential({ base: "100 millis" }) })

const routes = (world: World) =>
  Layer.unwrap(Effect.gen(function*() {
    const circuit = yield* CircuitBreaker.makeRef({
      name: "payments",
      trip: CircuitBreaker.consecutive(5),
      breakDuration: "10 seconds",
      isFailure: (cause) =>
        cause.reasons.some((reason) => reason._tag === "Fail" && reason.error instanceof PaymentsAway)
    })

    const charge = (order: Omit<Order, "receipt">, key: string, card: Redacted.Redacted) =>
      Effect.flatMap(Propagation.inject(), (headers) =>
        world.charge({
          key,
          customer: order.customer,
          cents: order.cents,
          card,
          headers
        })).pipe(
          Effect.timeoutOrElse({ duration: "1 second", orElse: () => Effect.fail(new PaymentsAway()) }),
          Effect.tapError((error) => Effect.logWarning("charge failed", { order: order.id, error: error._tag })),
          circuit.run,
          Effect.retry({ schedule: attempts, while: (error) => error._tag !== "CircuitOpen" })
        )

    const place = Effect.gen(function*() {
      const customer = (yield* Authentication.CurrentUser).id
      const { book, card, copies } = yield* HttpServerRequest.schemaBodyJson(NewOrder, { errors: "all" })
      const { key, scope } = Option.getOrThrow(yield* Idempotency.Key)
      const order = { id: yield* world.orders.next, customer, book, copies, cents: copies * prices[book] }
      yield* Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(
          restore(charge(order, `${scope} ${key}`, card)),
          (receipt) => world.orders.save({ ...order, receipt })
        )
      )
      yield* Effect.logInfo("order placed", { order: order.id, cents: order.cents })
      return HttpServerResponse.jsonUnsafe({ id: order.id, cents: order.cents }, {
        status: 201,
        headers: { location: `/orders/${order.id}` }
      })
    })

    const updates = Effect.gen(function*() {
      const customer = (yield* Authentication.CurrentUser).id
      const { id = "" } = yield* HttpRouter.params
      const order = yield* world.orders.find(id)
      if (order === undefined || order.customer !== customer) return yield* new OrderNotFound()
      const told = world.live(id).pipe(
        Fallback.stream({
          mode: { dedupeBy: (update) => update.number },
          fallback: () => world.history(id),
          onSwitch: () => Effect.logWarning("live updates lost", { order: id })
        }),
        Stream.map(({ number, text }) => `id: ${number}\ndata: ${text}\n\n`),
        Stream.encodeText
      )
      return HttpServerResponse.stream(told, { contentType: "text/event-stream" })
    })

    return Layer.mergeAll(
      HttpRouter.add("POST", "/orders", place),
      HttpRouter.add("GET", "/orders/:id/updates", updates)
    )
  }))

export const serve = (world: World): Layer.Layer<never, never, HttpServer.HttpServer> =>
  ServerStack.serve(routes(world), {
    service: "orders",
    problems: Problems.stage({ table: problems }),
    deadlines: Deadlines.stage({ default: "5 seconds", maximum: Duration.seconds(5) }),
    idempotency: Idempotency.stage({ required: ["POST /orders"] })
  }).pipe(
    Layer.provide(world.records),
    Layer.provide(world.tokens),
    Layer.provide(Logs.layer({ service: "orders", sink: world.sink }))
  )
