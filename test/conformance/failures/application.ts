/** The application behind the doors: small, with one route for each way to fail, on a real socket, with its log kept. */
import { NodeHttpClient } from "@effect/platform-node"
import { Context, Effect, Layer, Redacted, Schema, type Scope, Stream } from "effect"
import { Logs } from "effect-lifecycle/observability"
import {
  Admission,
  Authentication,
  BodyLimits,
  Conditional,
  Cors,
  Deadlines,
  Idempotency,
  Negotiation,
  Problems,
  RateLimits,
  ServerStack,
  TrustedHosts
} from "effect-lifecycle/server"
import * as NodeListener from "effect-lifecycle/server/NodeListener"
import { HttpClient, HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { SqlClient } from "effect/sql"
import { memoryRecords } from "../../server/records.ts"
import { bearer } from "./secrets.ts"

export interface Application {
  readonly port: number
  /** Its log, one JSON line each. */
  readonly lines: ReadonlyArray<string>
}

class UserNotFound extends Schema.TaggedError<UserNotFound>()("UserNotFound", { id: Schema.String }) {}
class NameTaken extends Schema.TaggedError<NameTaken>()("NameTaken", {}) {}
class RuleRefused extends Schema.TaggedError<RuleRefused>()("RuleRefused", {}) {}
class NotPermitted extends Schema.TaggedError<NotPermitted>()("NotPermitted", {}) {}
class PaymentFailed extends Schema.TaggedError<PaymentFailed>()("PaymentFailed", {}) {}
class StoreUnavailable extends Schema.TaggedError<StoreUnavailable>()("StoreUnavailable", {}) {}

const problems = Problems.table({
  UserNotFound: {
    status: 404,
    title: "User not found",
    detail: (error: UserNotFound) => `There is no user ${error.id}`
  },
  NameTaken: { status: 409, title: "This name is taken" },
  RuleRefused: { status: 422, title: "An order needs at least one item" },
  NotPermitted: { status: 403, title: "Only the owner may see this", stage: "Dependencies" },
  PaymentFailed: { status: 502, title: "The payment service gave no answer" }
})

const NewUser = Schema.Struct({
  name: Schema.NonEmptyString,
  email: Schema.String.check(Schema.isPattern(/^[^@\s]+@[^@\s]+$/))
})
const Order = Schema.Struct({ items: Schema.Array(Schema.String) })

const json = (value: unknown) => HttpServerResponse.jsonUnsafe(value)
const created = (value: unknown) => HttpServerResponse.jsonUnsafe(value, { status: 201 })

/** How long a request waits for a connection of the pool and its answer. */
const patience = "150 millis"

/** Routes that need a connection of the pool. */
const rows = Layer.unwrap(Effect.map(SqlClient.SqlClient, (sql) =>
  Layer.mergeAll(
    HttpRouter.add("GET", "/rows/hold", Effect.map(sql`select pg_sleep(0.5)`, json)),
    HttpRouter.add(
      "GET",
      "/rows",
      Effect.map(sql`select 1`, json).pipe(
        Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.fail(new StoreUnavailable()) })
      )
    ),
    // As in the lesson's incident: the timeout is nobody's error, and becomes a bug.
    HttpRouter.add("GET", "/rows/untranslated", Effect.timeout(Effect.map(sql`select 1`, json), patience))
  )))

const routes = Layer.mergeAll(
  HttpRouter.add("GET", "/users", Effect.succeed(json([]))),
  HttpRouter.add(
    "POST",
    "/users",
    Effect.flatMap(
      HttpServerRequest.schemaBodyJson(NewUser, { errors: "all" }),
      (user) => user.name === "taken" ? Effect.fail(new NameTaken()) : Effect.succeed(created(user))
    )
  ),
  HttpRouter.add("GET", "/users/:id", Effect.fail(new UserNotFound({ id: "u-9" }))),
  HttpRouter.add(
    "PATCH",
    "/users/:id",
    Effect.flatMap(Conditional.IfMatch, (expected) =>
      expected._tag === "Some" && expected.value !== 3
        ? Effect.fail(new Conditional.VersionMismatch())
        : Effect.succeed(json({})))
  ),
  HttpRouter.add(
    "POST",
    "/orders",
    Effect.flatMap(
      HttpServerRequest.schemaBodyJson(Order, { errors: "all" }),
      ({ items }) =>
        items.length === 0
          ? Effect.fail(new RuleRefused())
          : Effect.delay(Effect.succeed(created({ items })), items.includes("slow") ? 400 : 0)
    )
  ),
  HttpRouter.add("GET", "/accounts/:id", Effect.fail(new NotPermitted())),
  HttpRouter.add("GET", "/admin", Effect.fail(new Authentication.Forbidden())),
  HttpRouter.add("GET", "/defect", Effect.sync(() => json(JSON.parse("null").id))),
  HttpRouter.add("GET", "/slow", Effect.delay(Effect.succeed(json({})), "20 seconds")),
  HttpRouter.add(
    "GET",
    "/payment",
    HttpClient.get("http://127.0.0.1:1/").pipe(
      Effect.mapError(() => new PaymentFailed()),
      Effect.as(json({}))
    )
  ),
  HttpRouter.add(
    "GET",
    "/torn",
    HttpServerResponse.stream(
      Stream.concat(Stream.make("{\"items\":["), Stream.fromEffect(Effect.delay(Effect.die("the cursor is gone"), 50)))
        .pipe(Stream.encodeText),
      { contentType: "application/json" }
    )
  ),
  HttpRouter.add(
    "GET",
    "/crash",
    Effect.sync(() => process.kill(process.pid, "SIGKILL")).pipe(Effect.andThen(Effect.never))
  ),
  HttpRouter.add(
    "GET",
    "/crash/late",
    HttpServerResponse.stream(
      Stream.concat(
        Stream.make("{\"items\":["),
        Stream.fromEffect(Effect.delay(Effect.sync(() => process.kill(process.pid, "SIGKILL")), 100)).pipe(
          Stream.flatMap(() => Stream.never)
        )
      ).pipe(Stream.encodeText),
      { contentType: "application/json" }
    )
  )
)

/** Runs until the scope closes. The routes of the database answer only where there is one. */
export const application = Effect.fnUntraced(function*(
  options: {
    readonly database?: Layer.Layer<SqlClient.SqlClient>
    /** Requests of one user in a minute. */
    readonly quota?: number
    /** Requests at once. */
    readonly permits?: number
    readonly onLine?: (line: string) => void
  } = {}
): Effect.fn.Return<Application, never, Scope.Scope> {
  const lines: Array<string> = []
  const database = options.database === undefined ? Layer.empty : Layer.provide(rows, options.database)
  const stack = ServerStack.serve(Layer.merge(routes, database), {
    service: "application",
    problems: Problems.stage({ table: problems }),
    trustedHosts: TrustedHosts.stage({ hosts: ["localhost"] }),
    cors: Cors.stage({ origins: ["https://app.example.com"] }),
    negotiation: Negotiation.stage(),
    admission: Admission.stage({ permits: options.permits ?? 100, queue: 0 }),
    limitByUser: RateLimits.byUser({ policies: [{ name: "user", limit: options.quota ?? 100, window: "1 minute" }] }),
    deadlines: Deadlines.stage({ default: "600 millis", maximum: "600 millis" }),
    bodyLimits: BodyLimits.stage({ maximum: "64 KiB" }),
    idempotency: Idempotency.stage({ required: ["POST /orders"] }),
    conditional: Conditional.stage({ required: ["PATCH /users/:id"] })
  }).pipe(
    Layer.provide([
      Authentication.layerTokens(Redacted.make(`${bearer}:alice`)),
      RateLimits.layerMemory(),
      memoryRecords(),
      NodeHttpClient.layerNodeHttp
    ]),
    Layer.provideMerge(
      NodeListener.layer({
        port: 0,
        service: "application",
        headersTimeout: "300 millis",
        requestTimeout: "500 millis",
        gracePeriod: "10 millis"
      })
    ),
    Layer.provide(Logs.layer({
      service: "application",
      sink: (line) => {
        lines.push(line)
        options.onLine?.(line)
      }
    }))
  )
  const { address } = Context.get(yield* Effect.orDie(Layer.build(stack)), HttpServer.HttpServer)
  return { port: address._tag === "UnixPathAddress" ? 0 : address.port, lines }
})
