/**
 * Orders as it was on the day of the incident, and as it was the week after: one service, two sets of guards.
 *
 * `POST /orders` asks payments while its transaction is open, so it holds a connection for as long as payments takes.
 */
import { NodeHttpClient } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Metric, Option, Redacted, Schema } from "effect"
import { HttpClient, HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { SqlClient, type SqlError } from "effect/sql"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Logs, Metrics, Names } from "effect-lifecycle/observability"
import { CircuitBreaker } from "effect-lifecycle/resilience"
import { Authentication, Problems, ServerStack } from "effect-lifecycle/server"
import { layer as nodeListener } from "effect-lifecycle/server/NodeListener"
import { ConnectionPool } from "effect-lifecycle/store"
import { Database } from "effect-lifecycle/testing"

export const poolSize = 5

/** A customer's own work, before the order needs a connection: each line is priced. */
const pricing = "50 millis"

class PaymentsSilent extends Schema.TaggedError<PaymentsSilent>()("PaymentsSilent", {}) {
  override get message(): string {
    return "payments did not answer in time"
  }
}

/** What stands between an order and payments. */
type Guard = <E, R>(call: Effect.Effect<void, E, R>) => Effect.Effect<
  void,
  E | PaymentsSilent | CircuitBreaker.CircuitOpen,
  R
>

export interface Guards {
  /** How long a request waits for a connection. */
  readonly maxWait: "10 seconds" | "1 second"
  readonly payments: Effect.Effect<Guard>
  /** What no row of it knows is a bug, and a bug is a 500. */
  readonly problems: Problems.Table
}

/** The day of the incident. */
export const before: Guards = {
  maxWait: "10 seconds",
  payments: Effect.succeed((call) => call),
  problems: Problems.empty
}

const later = { headers: () => ({ "retry-after": "1" }) }

/** The week after: nobody waits for long, everybody else is told to come back, and a silent neighbour is left alone. */
export const after: Guards = {
  maxWait: "1 second",
  payments: Effect.map(
    CircuitBreaker.makeRef({ name: "payments", trip: CircuitBreaker.consecutive(3), breakDuration: "1 second" }),
    (circuit): Guard => (call) =>
      circuit.run(
        Effect.timeoutOrElse(call, { duration: "2 seconds", orElse: () => Effect.fail(new PaymentsSilent()) })
      )
  ),
  problems: Problems.table({
    PoolTimeout: { status: 503, title: "All connections are in use", ...later },
    PaymentsSilent: { status: 503, title: "Payments does not answer", ...later }
  })
}

/** A pool that ran dry has a name of its own; whatever else SQL says here is a bug. */
const poolTimeouts = <A, E, R>(
  self: Effect.Effect<A, E | SqlError.SqlError, R>
): Effect.Effect<A, Exclude<E, SqlError.SqlError> | ConnectionPool.PoolTimeout, R> =>
  Effect.catchTag(self, "SqlError", (error) =>
    Option.match(ConnectionPool.timeoutOf(error as SqlError.SqlError), {
      onNone: () => Effect.die(error),
      onSome: (timeout) => Effect.fail(timeout)
    })) as Effect.Effect<A, Exclude<E, SqlError.SqlError> | ConnectionPool.PoolTimeout, R>

const NewOrder = Schema.Struct({ lines: Schema.Int })

const routes = (guard: Guard, paymentsUrl: string) =>
  Layer.mergeAll(
    HttpRouter.add(
      "GET",
      "/orders",
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const rows = yield* poolTimeouts(sql`select id, lines, paid from orders order by id desc limit 10`)
        return yield* HttpServerResponse.json(rows)
      })
    ),
    HttpRouter.add(
      "POST",
      "/orders",
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const payments = yield* HttpClient.HttpClient
        const user = yield* Authentication.CurrentUser
        const { lines } = yield* HttpServerRequest.schemaBodyJson(NewOrder)
        for (let line = 0; line < lines; line++) yield* Effect.sleep(pricing)
        const placed = Effect.gen(function*() {
          const [order] = yield* sql<{ readonly id: number }>`
            insert into orders (user_id, lines) values (${user.id}, ${lines}) returning id`
          yield* guard(Effect.asVoid(payments.post(`${paymentsUrl}/payments`)))
          yield* sql`update orders set paid = true where id = ${order!.id}`
          return yield* HttpServerResponse.json({ id: order!.id }, { status: 201 })
        })
        return yield* poolTimeouts(sql.withTransaction(placed))
      })
    )
  )

export interface Surroundings {
  readonly guards: Guards
  readonly paymentsUrl: string
  readonly registry: Metric.MetricRegistry
  readonly log: (line: string) => void
  readonly record: Recorder.Recorder
}

const table = Layer.effectDiscard(
  SqlClient.SqlClient.use((sql) =>
    sql`create table orders (id serial primary key, user_id text not null, lines int not null, paid bool default false)`
  )
)

/** Starts orders on a free port with a database of its own, and gives its address. */
export const start = ({ guards, log, paymentsUrl, record, registry }: Surroundings) =>
  Effect.gen(function*() {
    const guard = yield* guards.payments
    const pool = ConnectionPool.layer({
      name: "orders",
      size: poolSize,
      maxWait: guards.maxWait,
      compiler: PgClient.makeCompiler()
    }).pipe(Layer.provide(Database.layerOn({ client: { maxConnections: poolSize } })))
    const telemetry = Layer.mergeAll(Logs.layer({ service: "orders", sink: log }), Metrics.layer).pipe(
      Layer.provide(Layer.succeed(Recorder.Current, record))
    )
    const app = ServerStack.serve(routes(guard, paymentsUrl), {
      service: "orders",
      problems: Problems.stage({ table: guards.problems }),
      metrics: { metricNameMapper: Names.prometheus }
    }).pipe(
      Layer.provideMerge(nodeListener({ port: 0, service: "orders", gracePeriod: "500 millis" })),
      Layer.provide([
        Layer.provideMerge(table, pool),
        Authentication.layerTokens(Redacted.make("token88:88")),
        NodeHttpClient.layerUndici
      ]),
      Layer.provide([telemetry, Layer.succeed(Metric.MetricRegistry, registry)])
    )
    const context = yield* Layer.build(Layer.fresh(app))
    return HttpServer.formatAddress(Context.get(context, HttpServer.HttpServer).address)
  })
