// The same in another style: waits, deadline of an attempt, second source and headers without the library's combinators.
import { Cause, Duration, Effect, Layer, Option, Schedule, Schema, Stream } from "effect"
import { Logs } from "effect-lifecycle/observability"
import { Deadline, RequestId } from "effect-lifecycle/request"
import { CircuitBreaker } from "effect-lifecycle/resilience"
import { Authentication, Deadlines, Idempotency, Problems, ServerStack } from "effect-lifecycle/server"
import { HttpRouter, type HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { PaymentsAway, prices, type Update, type World } from "../shop.ts"

const NewOrder = Schema.Struct({
  book: Schema.Literals(["dune", "emma"]),
  copies: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10 })),
  card: Schema.RedactedFromValue(Schema.String.check(Schema.isPattern(/^\d{16}$/)))
})

const problems = Problems.table({
  CardDeclined: { status: 402, title: "Declined" },
  NoSuchOrder: { status: 404, title: "No such order" },
  PaymentsAway: { status: 503, title: "No payments", headers: () => ({ "retry-after": "2" }) }
})

const isAway = (cause: Cause.Cause<unknown>) =>
  Option.match(Cause.findErrorOption(cause), { onNone: () => false, onSome: (error) => error instanceof PaymentsAway })

const headersNow = Effect.gen(function*() {
  const id = yield* RequestId.Current
  const left = yield* Deadline.remaining
  return {
    "x-request-id": Option.getOrElse(id, () => ""),
    ...(Option.isNone(left) ? {} : { "x-request-timeout": String(Duration.toSeconds(left.value)) })
  }
})

const makeRoutes = (world: World) =>
  Effect.map(
    CircuitBreaker.make({
      name: "outside",
      trip: CircuitBreaker.consecutive(5),
      breakDuration: "10 seconds",
      isFailure: isAway
    }),
    (circuits) =>
      Layer.mergeAll(
        HttpRouter.add("POST", "/orders", (request) =>
          Effect.gen(function*() {
            const user = yield* Authentication.CurrentUser
            const wanted = yield* HttpServerRequest.schemaBodyJson(NewOrder, { errors: "all" })
            const cents = prices[wanted.book] * wanted.copies
            const attempt = Effect.gen(function*() {
              const receipt = yield* Effect.timeoutOption(
                world.charge({
                  key: `${user.id}/${request.headers["idempotency-key"]}`,
                  customer: user.id,
                  cents,
                  card: wanted.card,
                  headers: yield* headersNow
                }),
                "1 second"
              )
              return Option.isSome(receipt) ? receipt.value : yield* new PaymentsAway()
            }).pipe(Effect.tapError(() => Effect.logWarning("payments did not charge")))
            const charged = circuits.run("payments", attempt).pipe(
              Effect.retry({
                schedule: Schedule.exponential("100 millis"),
                times: 2,
                while: (error) => error._tag === "PaymentsAway"
              })
            )
            const id = yield* Effect.uninterruptibleMask((restore) =>
              Effect.gen(function*() {
                const receipt = yield* restore(charged)
                const id = yield* world.orders.next
                const { book, copies } = wanted
                yield* world.orders.save({ id, customer: user.id, book, copies, cents, receipt })
                yield* Effect.logInfo("order placed")
                return id
              })
            )
            return HttpServerResponse.jsonUnsafe({ id, cents }, { status: 201, headers: { location: `/orders/${id}` } })
          })),
        HttpRouter.add("GET", "/orders/:id/updates", () =>
          Effect.gen(function*() {
            const user = yield* Authentication.CurrentUser
            const id = (yield* HttpRouter.params)["id"] ?? ""
            const order = yield* world.orders.find(id)
            if (order?.customer !== user.id) return yield* Effect.fail({ _tag: "NoSuchOrder" as const })
            const seen = new Set<number>()
            const isNew = ({ number }: Update) => {
              if (seen.has(number)) return false
              seen.add(number)
              return true
            }
            const story = world.live(id).pipe(Stream.catch(() => world.history(id)), Stream.filter(isNew))
            const text = Stream.map(story, (update) => `id: ${update.number}\ndata: ${update.text}\n\n`)
            return HttpServerResponse.stream(Stream.encodeText(text), { contentType: "text/event-stream" })
          }))
      )
  )

export const serve = (world: World): Layer.Layer<never, never, HttpServer.HttpServer> =>
  ServerStack.serve(Layer.unwrap(makeRoutes(world)), {
    service: "shop",
    problems: Problems.stage({ table: problems }),
    deadlines: Deadlines.stage({ default: 5000, maximum: 5000 }),
    idempotency: Idempotency.stage({ required: ["POST /orders"] })
  }).pipe(Layer.provide([world.records, world.tokens, Logs.layer({ service: "shop", sink: world.sink })]))
