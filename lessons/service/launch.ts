/**
 * The three services of the running example, on one machine: users, orders and payments, each with its own database.
 *
 * A request to pay an order walks all of them: orders asks payments for the money, payments asks users whether the payer is
 * known. Each service speaks with its own token and hands the deadline, the request id and the trace on.
 */
import { NodeHttpClient } from "@effect/platform-node"
import { Config, Context, Effect, type FileSystem, Layer, Metric, type Path, Redacted } from "effect"
import { Journal, Logs, Metrics, Names, Otlp, Spans } from "effect-lifecycle/observability"
import {
  Authentication,
  Conditional,
  type Health,
  Idempotency,
  Problems,
  Scopes,
  ServerStack
} from "effect-lifecycle/server"
import { layer as nodeListener } from "effect-lifecycle/server/NodeListener"
import {
  type EventStore,
  IdempotencyStore,
  type Inbox,
  type Outbox,
  type Projection,
  type SagaStore,
  type Snapshots,
  type StateStore,
  type Subscription,
  type UnitOfWork
} from "effect-lifecycle/store"
import * as Pg from "effect-lifecycle/store/pg"
import { Database } from "effect-lifecycle/testing"
import { type Etag, type HttpClient, type HttpPlatform, type HttpRouter, HttpServer } from "effect/http"
import { HttpApiBuilder, HttpApiScalar } from "effect/http-api"
import { SqlClient } from "effect/sql"
import { randomBytes } from "node:crypto"
import { DeskRoutes, scope as deskScope } from "./orders/desk.ts"
import { OrdersDomain } from "./orders/handlers.ts"
import { OrdersApi, OrdersHttp } from "./orders/http.ts"
import { orders } from "./orders/model.ts"
import { PaymentsDomain } from "./payments/handlers.ts"
import { PaymentsApi, PaymentsHttp } from "./payments/http.ts"
import { payments } from "./payments/model.ts"
import * as Page from "./shared/Page.ts"
import { PaymentsClient } from "./shared/PaymentsClient.ts"
import { problems } from "./shared/problems.ts"
import { UsersClient } from "./shared/UsersClient.ts"
import { UsersInbox } from "./shared/UsersInbox.ts"
import { activity } from "./users/activity.ts"
import { UsersDomain } from "./users/handlers.ts"
import { UsersApi, UsersHttp } from "./users/http.ts"
import { users } from "./users/model.ts"

export interface Addresses {
  readonly users: string
  readonly orders: string
  readonly payments: string
}

export interface Options {
  /** Of users; orders has the next one, payments the one after. 0 takes any free ports. */
  readonly port?: number | undefined
  /** Gets every log line of all three services; standard output when absent. */
  readonly log?: ((line: string) => void) | undefined
  /** Further routes of the users service. */
  readonly extra?: Layer.Layer<never, never, HttpRouter.HttpRouter> | undefined
  /** Databases with these names stay; with random names, the default, they are dropped in the end. */
  readonly keepData?: boolean | undefined
  /** The most connections that one service has to its database; 10 when absent. */
  readonly poolSize?: number | undefined
  /** What the services say who they are with; several processes of them share it. New ones when absent. */
  readonly tokens?: Tokens | undefined
  /** The other processes that run the services now, and remember what they have served. */
  readonly siblings?: (() => ReadonlyArray<Page.Sibling>) | undefined
  /** Once this says so, open pages are let go: a gateway in front waits for them, and drains before the services do. */
  readonly leaving?: Health.Drain | undefined
}

export type Tokens = { readonly [Service in keyof Addresses]: string }

/** One for each service, which nobody has seen. */
export const newTokens = (): Tokens => ({ users: newToken(), orders: newToken(), payments: newToken() })

/** Starts payments' and orders' neighbours first, so that each knows where to ask. */
export const launch = Effect.fnUntraced(function*(options: Options = {}) {
  const { extra = Layer.empty, port = 4100, siblings = () => [], tokens = newTokens() } = options
  const { leaving = { draining: false } } = options
  const at = (offset: number) => port === 0 ? 0 : port + offset
  const given = yield* Config.Redacted("LIFECYCLE_TOKENS").pipe(
    Config.withDefault(Redacted.make(`token123:alice,token456:bob,token789:olga:${deskScope}`))
  )
  const addresses: Record<string, string> = {}
  const authenticator = Authentication.layerTokens(
    Redacted.make(
      [Redacted.value(given), ...Object.entries(tokens).map(([name, token]) => `${token}:${name}-service`)].join(",")
    ),
    { source: "LIFECYCLE_TOKENS" }
  )
  const clientOf = (service: "orders" | "payments", url: string) => ({
    service,
    url,
    token: Redacted.make(tokens[service])
  })
  const base = { ...options, authenticator }
  const page = (service: keyof Addresses) =>
    Page.page({ service, addresses, siblings, token: tokens[service], leaving })

  const usersUrl = yield* start({
    ...base,
    name: "users",
    port: at(0),
    collections: [users, activity],
    app: ServerStack.serve(
      Layer.mergeAll(
        HttpApiBuilder.layer(UsersApi, { openapiPath: "/openapi.json" }),
        HttpApiScalar.layer(UsersApi),
        page("users"),
        extra
      )
        .pipe(Layer.provide(UsersHttp)),
      {
        ...common("users"),
        conditional: Conditional.stage({ required: ["PATCH /users/:id"] })
      }
    ).pipe(Layer.provide(UsersDomain))
  })
  const paymentsUrl = yield* start({
    ...base,
    name: "payments",
    port: at(2),
    collections: [payments],
    app: ServerStack.serve(
      Layer.mergeAll(
        HttpApiBuilder.layer(PaymentsApi, { openapiPath: "/openapi.json" }),
        HttpApiScalar.layer(PaymentsApi),
        page("payments")
      )
        .pipe(Layer.provide(PaymentsHttp)),
      { ...common("payments"), idempotency: Idempotency.stage({ required: ["POST /payments"], lease }) }
    ).pipe(
      Layer.provide(PaymentsDomain),
      Layer.provide(UsersClient.layer(clientOf("payments", usersUrl)))
    )
  })
  const ordersUrl = yield* start({
    ...base,
    name: "orders",
    port: at(1),
    collections: [orders],
    app: ServerStack.serve(
      Layer.mergeAll(
        HttpApiBuilder.layer(OrdersApi, { openapiPath: "/openapi.json" }),
        HttpApiScalar.layer(OrdersApi),
        DeskRoutes,
        page("orders")
      )
        .pipe(Layer.provide(OrdersHttp)),
      {
        ...common("orders"),
        scopes: Scopes.stage({ routes: { "/desk/*": [deskScope] } }),
        idempotency: Idempotency.stage({ required: ["POST /orders"], lease })
      }
    ).pipe(
      Layer.provide(OrdersDomain),
      Layer.provide([
        PaymentsClient.layer(clientOf("orders", paymentsUrl)),
        UsersInbox.layer(clientOf("orders", usersUrl))
      ])
    )
  })
  return Object.assign(addresses, { users: usersUrl, orders: ordersUrl, payments: paymentsUrl }) satisfies Addresses
})

const common = (service: string) => ({
  service,
  authentication: Page.authentication,
  problems: Problems.stage({ table: problems }),
  readiness: { store: SqlClient.SqlClient.use((sql) => sql`select 1`) },
  metrics: { metricNameMapper: Names.prometheus }
})

/**
 * How long a key is held for a request that was never heard of again. It may be short, because each command is named after
 * its key: run a second time, it answers what the first run did.
 */
const lease = "5 seconds"

const newToken = (): string => randomBytes(24).toString("hex")

/** The HTTP stage keeps its records in the same database as the events. */
const records = Layer.effect(Idempotency.IdempotencyRecords, IdempotencyStore.IdempotencyStore)

type Surroundings =
  | Authentication.Authenticator
  | Etag.Generator
  | EventStore.EventStore
  | FileSystem.FileSystem
  | HttpClient.HttpClient
  | HttpPlatform.HttpPlatform
  | HttpServer.HttpServer
  | Idempotency.IdempotencyRecords
  | IdempotencyStore.IdempotencyStore
  | Inbox.Inbox
  | Journal.Journal
  | Outbox.Outbox
  | Path.Path
  | Projection.Projections
  | SagaStore.SagaStore
  | Snapshots.Snapshots
  | SqlClient.SqlClient
  | StateStore.StateStore
  | Subscription.Subscriptions
  | UnitOfWork.UnitOfWork

/** What a service finds around it: its stores, who may call it, a client, and where its telemetry goes. */
const start = <A, E>(
  options: Options & {
    readonly name: "users" | "orders" | "payments"
    readonly port: number
    readonly collections: Pg.Options["collections"]
    readonly authenticator: Layer.Layer<Authentication.Authenticator, Authentication.InvalidTokens>
    readonly app: Layer.Layer<A, E, Surroundings>
  }
) =>
  Effect.gen(function*() {
    const { authenticator, collections, keepData = false, log, name, poolSize = 10, port } = options
    const database = Database.layerOn({
      ...(keepData ? { name: `lifecycle_${name}` } : {}),
      client: { maxConnections: poolSize }
    })
    const stores = Pg.layer({ collections, schema: name }).pipe(Layer.provideMerge(database))
    // Otlp adds a logger to those it finds, so it stands on the others.
    const telemetry = Otlp.layer({ service: name }).pipe(Layer.provideMerge(Layer.mergeAll(
      Logs.layer({ service: name, ...(log === undefined ? {} : { sink: log }) }),
      Metrics.layer,
      Spans.layer,
      Journal.layer({ service: name })
    )))
    const service = options.app.pipe(
      Layer.provideMerge(nodeListener({ port, service: name, gracePeriod: "5 seconds" })),
      Layer.provide([Layer.provideMerge(records, stores), authenticator, NodeHttpClient.layerUndici]),
      Layer.provide(Layer.provideMerge(telemetry, Layer.succeed(Metric.MetricRegistry, new Map())))
    )
    // Each service has its own log and its own metrics, so none of it is shared between the three.
    const context = yield* Layer.build(Layer.fresh(service))
    return HttpServer.formatAddress(Context.get(context, HttpServer.HttpServer).address)
  })
