/**
 * The door of a small deployment: it ends TLS, routes by host and path, balances, guards its upstreams, and answers for them
 * when they cannot.
 *
 * A request goes through: parser, checks against ambiguity, the coarse limit by address, routing, admission, and
 * `ReverseProxy`, which asks an `UpstreamPool`. Over TLS it speaks HTTP/1.1 and HTTP/2 (by ALPN); upstreams are spoken to in
 * HTTP/1.1 over kept connections. Whatever the gateway answers itself is problem+json with the request's id, the stage and
 * `Via`: 502 where no upstream is healthy or gives an answer, 504 where it is slow, 503 with `Retry-After` for the gateway's
 * own overload only.
 *
 * {@link Gateway.reload} puts a new configuration in place of the old one between two requests: upstreams that did not change
 * keep their connections and health, those that are gone are closed when their last request has ended. When the scope closes,
 * the door stops listening, requests under way end within the drain time, and then the rest is ended.
 *
 * **Gotchas**
 *
 * - `limits.rate` counts in this process, unless a `RateLimiter` of Effect is in the context; then it is asked.
 * - Address, TLS on or off, and the size of headers cannot be reloaded; certificates can.
 * - WebSockets do not count for `limits.concurrency`, only for `limits.connections`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Gateway, GatewayConfig } from "effect-lifecycle/gateway"
 * import assert from "node:assert/strict"
 *
 * const program = Effect.gen(function*() {
 *   const config = yield* GatewayConfig.decode({
 *     listen: { port: 0 },
 *     upstreams: { users: { targets: ["http://127.0.0.1:1"] } },
 *     routes: [{ prefix: "/api/users", strip: "/api", upstream: "users" }]
 *   })
 *   const gateway = yield* Gateway.make(config)
 *   const answer = yield* Effect.promise(() => fetch(`${gateway.url}/api/users`))
 *   const problem = yield* Effect.promise(() => answer.json())
 *   assert.equal(answer.status, 502)
 *   assert.equal(answer.headers.get("x-request-id"), problem.requestId)
 *   assert.equal(problem.stage, "Proxy")
 * })
 * await Effect.runPromise(Effect.scoped(program))
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, Layer, type Scope } from "effect"
import * as Http from "node:http"
import * as Http2 from "node:http2"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import type { ListenError } from "../server/NodeListener.ts"
import * as GatewayConfig from "./GatewayConfig.ts"
import { type Admission, makeAdmission } from "./internal/admission.ts"
import { conduct } from "./internal/conduct.ts"
import { Downstream, type Request, type Response } from "./internal/downstream.ts"
import * as exchanges from "./internal/exchanges.ts"
import { headerBytesOf } from "./internal/fixedFields.ts"
import { Connections, drainAtEnd, listen } from "./internal/listening.ts"
import { answerOptions } from "./internal/optionsAnswer.ts"
import { refuseUnparsed } from "./internal/parserRefusal.ts"
import * as runtimes from "./internal/runtime.ts"
import type * as LoadBalancer from "./LoadBalancer.ts"
import * as Refusals from "./Refusals.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Gateway {
  readonly host: string
  readonly port: number
  /** Where clients on this machine find it. */
  readonly url: string
  /** Puts a checked configuration in place of the one in force; where it cannot be, the old one stays. */
  readonly reload: (config: GatewayConfig.GatewayConfig) => Effect.Effect<void, GatewayConfig.ConfigInvalid>
  readonly snapshot: Effect.Effect<Snapshot>
}

/**
 * A gateway at one moment.
 *
 * @category models
 * @since 0.1.0
 */
export interface Snapshot {
  readonly connections: number
  readonly exchanges: number
  /** What buffered request bodies hold. */
  readonly bufferedBytes: number
  readonly draining: boolean
  readonly upstreams: { readonly [name: string]: ReadonlyArray<LoadBalancer.TargetState> }
}

/**
 * The gateway as a service.
 *
 * @category services
 * @since 0.1.0
 */
export class Service extends Context.Service<Service, Gateway>()("effect-lifecycle/gateway/Gateway") {
  static readonly layer = (config: GatewayConfig.GatewayConfig): Layer.Layer<Service, ListenError> =>
    Layer.effect(Service, make(config))
}

/**
 * Listens until the scope closes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fn("Gateway.make")(function*(
  config: GatewayConfig.GatewayConfig
): Effect.fn.Return<Gateway, ListenError, Scope.Scope> {
  const owner = yield* Effect.scope
  const admission = yield* makeAdmission(config)
  const memory = { limitBytes: config.limits?.bufferBytes ?? 67_108_864, usedBytes: 0 }
  let current = yield* runtimes.build(config, memory, owner, undefined)
  const run = yield* exchanges.make
  const connections = new Connections()
  const latest = new WeakMap<Socket, Downstream>()
  const sessions = new Set<Http2.ServerHttp2Session>()

  const exchange = (down: Downstream, work: (runtime: runtimes.Runtime) => Effect.Effect<void, Failure>) => {
    const { socket } = down.request
    const runtime = current
    connections.begin(socket)
    latest.set(socket, down)
    down.closing = connections.draining
    const fiber = run(conduct(down, runtime.settings, Effect.suspend(() => work(runtime))))
    fiber.addObserver(() => connections.end(socket))
  }
  const pass = (request: Request, response: Response, awaitsContinue = false) => {
    const down = new Downstream(request, response, { awaitsContinue })
    exchange(down, (runtime) => through(down, runtime, admission))
  }

  const server = open(config)
  const { settings } = current
  server.on("connection", (socket: Socket) => {
    connections.accept(socket)
    if (config.tls === undefined) connections.add(socket)
  })
  if ("setSecureContext" in server) {
    server.on("secureConnection", (socket) => {
      if (socket.alpnProtocol !== "h2") connections.add(socket)
    })
    server.on("session", (session) => {
      sessions.add(session)
      session.once("close", () => sessions.delete(session))
    })
  }
  server.on("request", (request: Request, response: Response) => pass(request, response))
  server.on("checkContinue", (request: Request, response: Response) => pass(request, response, true))
  server.on("checkExpectation", (request: Request, response: Response) => {
    exchange(new Downstream(request, response), () => Effect.fail({ _tag: "ExpectationRefused" }))
  })
  server.on("connect", (request: Request, socket: Duplex, head: Buffer) => {
    if (request instanceof Http2.Http2ServerRequest) return
    exchange(new Downstream(request, undefined, { upgrade: { socket, head } }), () => Effect.void)
  })
  server.on("upgrade", (request: Http.IncomingMessage, socket: Duplex, head: Buffer) => {
    const down = new Downstream(request, undefined, { upgrade: { socket, head } })
    exchange(down, (runtime) =>
      isWebSocket(request)
        ? through(down, runtime, admission)
        : Effect.fail(new Refusals.AmbiguousRequest({ reason: "an upgrade to something else than websocket" })))
  })
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    run(refuseUnparsed(error, socket, settings, latest.get(socket)))
  })

  const address = yield* listen(server, GatewayConfig.addressOf(config))
  yield* drainAtEnd(server, connections, {
    grace: () => current.config.timeouts?.drain ?? "20 seconds",
    onDrain: () => {
      for (const session of sessions) session.close()
    }
  })
  const scheme = config.tls === undefined ? "http" : "https"
  const name = ["0.0.0.0", "::"].includes(address.host) ? "127.0.0.1" : address.host
  return {
    ...address,
    url: `${scheme}://${name.includes(":") ? `[${name}]` : name}:${address.port}`,
    reload: Effect.fnUntraced(function*(next) {
      const fixed = GatewayConfig.needsRestart(current.config, next)
      if (fixed.length > 0) {
        return yield* new GatewayConfig.ConfigInvalid({ source: "the new configuration", problems: fixed })
      }
      const previous = current
      memory.limitBytes = next.limits?.bufferBytes ?? 67_108_864
      current = yield* runtimes.build(next, memory, owner, previous)
      yield* admission.resize(next)
      if (next.tls !== undefined && "setSecureContext" in server) {
        server.setSecureContext({ cert: next.tls.certificate, key: next.tls.key })
      }
      yield* runtimes.retire(previous, current)
    }),
    snapshot: Effect.suspend(() =>
      Effect.map(runtimes.snapshot(current), (upstreams) => ({
        connections: connections.size,
        exchanges: connections.exchanges,
        bufferedBytes: memory.usedBytes,
        draining: connections.draining,
        upstreams
      }))
    )
  }
})

/**
 * The gateway of a configuration file.
 *
 * @category constructors
 * @since 0.1.0
 */
export const load = (
  file: string
): Effect.Effect<Gateway, GatewayConfig.ConfigInvalid | ListenError, Scope.Scope> =>
  Effect.flatMap(GatewayConfig.load(file), make)

interface Failure {
  readonly _tag: string
}

const through = (down: Downstream, runtime: runtimes.Runtime, admission: Admission): Effect.Effect<void, Failure> =>
  Effect.flatMap(admission.limit(down, runtime), (): Effect.Effect<void, Failure> => {
    // `OPTIONS *` asks the gateway itself.
    if (down.path === "*") {
      return down.method === "OPTIONS"
        ? answerOptions(down, runtime.settings.via)
        : Effect.fail(new Refusals.AmbiguousRequest({ reason: "an unusable target" }))
    }
    const route = runtimes.routeOf(runtime, down)
    if (route === undefined) return Effect.fail(new Refusals.NoRoute())
    down.route = route.pattern
    const forward = runtimes.using(route, route.proxy.forward(down))
    return down.upgrade === undefined ? admission.admit(forward) : forward
  })

const isWebSocket = (request: Http.IncomingMessage): boolean =>
  request.method === "GET" && request.httpVersion === "1.1" &&
  request.headers.upgrade?.trim().toLowerCase() === "websocket" &&
  request.headers["transfer-encoding"] === undefined && !(Number(request.headers["content-length"] ?? 0) > 0)

const open = (config: GatewayConfig.GatewayConfig): Http.Server | Http2.Http2SecureServer => {
  const times = runtimes.listenerTimes(config)
  const shared = {
    maxHeaderSize: headerBytesOf(config),
    connectionsCheckingInterval: Math.max(100, Math.min(5_000, times.headersTimeout / 4)),
    // The parser would answer with an empty 400 by itself.
    requireHostHeader: false,
    noDelay: true
  }
  const readable = Math.max(65_536, shared.maxHeaderSize * 4)
  const server = config.tls === undefined
    ? Http.createServer(shared)
    : Http2.createSecureServer({
      ...shared,
      allowHTTP1: true,
      cert: config.tls.certificate,
      key: config.tls.key,
      // What is above our limit has to come in to be refused with words; above this Node resets the stream.
      settings: { maxConcurrentStreams: 128, maxHeaderListSize: readable },
      maxHeaderListPairs: Math.ceil(readable / 32)
    })
  // Everything else is answered as if no upgrade had been asked for. The secure server knows no option for it.
  Object.assign(server, times, { shouldUpgradeCallback: isWebSocket })
  server.maxConnections = config.limits?.connections ?? 16_384
  return server
}
