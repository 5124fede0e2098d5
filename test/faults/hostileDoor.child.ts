/** Gateway and application in a process of their own, which tells how it is when it is asked. */
import { Cause, Context, Effect, Layer, Redacted, Schema } from "effect"
import { Gateway, GatewayConfig } from "effect-lifecycle/gateway"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Logs } from "effect-lifecycle/observability"
import { Authentication, Idempotency, Problems, ServerStack } from "effect-lifecycle/server"
import * as NodeListener from "effect-lifecycle/server/NodeListener"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { memoryRecords } from "../server/records.ts"
import { type Health, limits, type Ports } from "./hostileDoor.protocol.ts"
import { smuggled, token } from "./hostileRequests.ts"
import { watch } from "./starvation.ts"

const NewUser = Schema.Struct({
  name: Schema.NonEmptyString,
  email: Schema.String.check(Schema.isPattern(/^[^@\s]+@[^@\s]+$/))
})
const User = Schema.Struct({ id: Schema.String, ...NewUser.fields })
const Users = HttpApiGroup.make("users").add(
  HttpApiEndpoint.get("byId", "/users/:id", { params: { id: Schema.String }, success: User }),
  HttpApiEndpoint.get("list", "/users", {
    query: { limit: Schema.optional(Schema.FiniteFromString) },
    success: Schema.Array(User)
  }),
  HttpApiEndpoint.post("create", "/users", { payload: NewUser, success: User.pipe(HttpApiSchema.status(201)) })
)
class Api extends HttpApi.make("users").add(Users).annotate(HttpApi.ParseOptions, Problems.allErrors) {}

const alice = { id: "u-1", name: "Alice", email: "alice@example.com" }
const handlers = HttpApiBuilder.group(Api, "users", (handlers) =>
  handlers.handleAll({
    byId: () => Effect.succeed(alice),
    list: () => Effect.succeed([alice]),
    create: ({ payload }) => Effect.succeed({ id: "u-2", ...payload })
  }))

let asked = 0
const routes = Layer.mergeAll(
  HttpApiBuilder.layer(Api, { openapiPath: "/openapi.json" }).pipe(Layer.provide(handlers)),
  HttpRouter.add(
    "*",
    smuggled,
    Effect.sync(() => {
      asked++
      return HttpServerResponse.empty()
    })
  )
)

const starved = watch()
const defects: Array<string> = []
const badLines: Array<string> = []
let lines = 0
const check = (line: string): void => {
  lines++
  if (badLines.length > 20) return
  try {
    const { message, request_id: id } = JSON.parse(line) as Record<string, unknown>
    if (message === "request" && !/^[\w.-]{1,128}$/.test(String(id))) badLines.push(line.slice(0, 500))
  } catch {
    badLines.push(line.slice(0, 500))
  }
  // oxlint-disable-next-line no-control-regex
  if (line.includes(token) || /[\u0000-\u001f\u007f-\u009f]/.test(line)) badLines.push(line.slice(0, 500))
}
const recorder = (service: string) =>
  Recorder.combine(Logs.recorder({ service, sink: check }), (report) => {
    if (report._tag === "DefectCaught" && defects.length < 20) defects.push(Cause.pretty(report.cause).slice(0, 1000))
  })

const program = Effect.gen(function*() {
  const application = yield* Layer.build(
    ServerStack.serve(routes, {
      service: "application",
      idempotency: Idempotency.stage({ required: () => false })
    }).pipe(
      Layer.provide([Authentication.layerTokens(Redacted.make(`${token}:alice`)), memoryRecords()]),
      Layer.provideMerge(NodeListener.layer({
        port: 0,
        service: "application",
        headersTimeout: limits.headersMillis,
        requestTimeout: limits.headersMillis
      })),
      Layer.provide(Layer.succeed(Recorder.Current, recorder("application")))
    )
  )
  const { address } = Context.get(application, HttpServer.HttpServer)
  const port = address._tag === "UnixPathAddress" ? 0 : address.port
  const config = yield* GatewayConfig.decode({
    listen: { port: 0 },
    upstreams: { application: { targets: [`http://127.0.0.1:${port}`] } },
    routes: [{ prefix: "/", upstream: "application" }],
    limits: { connections: limits.connections, bodyBytes: 20_000 },
    timeouts: {
      headers: limits.headersMillis,
      receive: limits.headersMillis,
      idle: limits.headersMillis,
      keepAlive: limits.headersMillis
    }
  })
  const gateway = yield* Gateway.make(config).pipe(Recorder.recordTo(recorder("gateway")))
  const health = Effect.map(gateway.snapshot, ({ bufferedBytes, connections, exchanges }): Health => {
    globalThis.gc?.()
    const { arrayBuffers, heapUsed, rss } = process.memoryUsage()
    return {
      heapBytes: heapUsed + arrayBuffers,
      residentBytes: rss,
      connections,
      exchanges,
      bufferedBytes,
      defects,
      badLines,
      lines,
      smuggled: asked,
      starved
    }
  })
  const run = Effect.runForkWith(yield* Effect.context<never>())
  process.on("message", () => run(Effect.map(health, (health) => void process.send?.(health))))
  process.on("disconnect", () => process.exit(0))
  process.send?.({ gateway: gateway.port, application: port } satisfies Ports)
  return yield* Effect.never
})
await Effect.runPromise(Effect.scoped(program))
