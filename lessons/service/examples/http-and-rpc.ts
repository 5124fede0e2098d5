/** The same commands over HTTP, over RPC and in the process: three ways in, made of the definitions, to one handler each. */
import { NodeHttpClient } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { HttpClient, HttpClientRequest, HttpServer } from "effect/http"
import { HttpApiBuilder, OpenApi } from "effect/http-api"
import { RpcClient, RpcSerialization, RpcServer } from "effect/rpc"
import { Domain, Mediator, Middleware } from "effect-lifecycle/domain"
import { MemoryStore } from "effect-lifecycle/store"
import { ours, source } from "./support/say.ts"
import { ask, serve } from "./support/serve.ts"
import { layer, UserById, usersHandlers } from "./support/users.ts"

const seen: Array<string> = []
const noting = Middleware.make((request, self) => Effect.andThen(Effect.sync(() => void seen.push(request.name)), self))
const domain = layer({ middleware: [noting] }).pipe(Layer.provide(MemoryStore.layer))

const api = Domain.toHttpApi("users", usersHandlers)
const group = Domain.toRpcGroup(usersHandlers)

// One server has both. JSON is what the stage of content types lets in.
const routes = Layer.merge(
  HttpApiBuilder.layer(api).pipe(Layer.provide(Domain.toHttpHandlers(api, "users"))),
  RpcServer.layerHttp({ group, path: "/rpc", protocol: "http" }).pipe(Layer.provide(RpcSerialization.layerJson))
)
const server = serve(routes, { service: "users" }).pipe(Layer.provideMerge(domain))

/** A client of the group, typed by it. */
const connect = Effect.gen(function*() {
  const { address } = yield* HttpServer.HttpServer
  const protocol = yield* Layer.build(
    RpcClient.layerProtocolHttp({
      url: `${HttpServer.formatAddress(address)}/rpc`,
      transformClient: HttpClient.mapRequest(HttpClientRequest.bearerToken("token123"))
    }).pipe(Layer.provide([NodeHttpClient.layerUndici, RpcSerialization.layerJson]))
  )
  return yield* Effect.provideContext(RpcClient.make(group, { flatten: true }), protocol)
})

const john = { id: "u-1", name: "John Doe", email: "john@example.com" }
const post = (body: object, headers: Record<string, string> = {}) =>
  ask("/commands/users.Create", {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers }
  })

const program = Effect.gen(function*() {
  source("@app.post('/api/users'), a function for each route: # Validate request # Create command # Process command")
  ours(Object.entries(OpenApi.fromApi(api).paths).map(([path, of]) => `${Object.keys(of)} ${path}`).join(", "))
  const created = yield* post(john, { "idempotency-key": "k-1" })
  ours(`HTTP: ${created.status} ${created.body}`)

  source("HTTP Request, FastAPI Endpoint, Domain Command/Query: the way in is HTTP")
  const rpc = yield* connect
  const again = yield* rpc("users.Create", john, { headers: { "idempotency-key": "k-1" } })
  ours(`RPC, the same command again: ${JSON.stringify(again)}`)
  yield* rpc("users.Rename", { id: "u-1", name: "Jane Doe" })
  const now = yield* Mediator.query(UserById, { id: "u-1" })
  ours(`in the process, after users.Rename over RPC: ${now.name}`)

  const twice = yield* post(john)
  ours(`HTTP: ${twice.status} ${twice.body}`)
  const error = yield* Effect.flip(rpc("users.Create", john))
  ours(`RPC: ${error._tag}: ${error.message}`)
  ours(`the middleware ran once for each: ${seen.join(", ")}`)
})

await Effect.runPromise(Effect.scoped(Effect.provide(program, server)))
