/**
 * The door on Node: an HTTP server with limits and timeouts, whose own refusals look like all others.
 *
 * What Node would answer by itself (400 for nonsense or no `Host`, 408 for a request that never ends, 413, 414, 417, 431, 501,
 * 505) leaves as problem+json with a request id of its own, and is reported as a request that ended. So does what Node would
 * let pass and nobody here can serve: HTTP/0.9, HTTP/2.0 in the words of HTTP/1, a transfer coding. A request that has
 * begun and will never be whole is interrupted and answered under its own id; what came before it on the connection is
 * answered first. Each connection and request is stamped, so that `ServerTiming` knows what happened before the first
 * stage. How late the event loop is gets reported every ten seconds. A port that cannot be had is one {@link ListenError}
 * that says what to do. When the scope closes, requests in flight have the grace period; then every connection is closed.
 *
 * **Gotchas**
 *
 * - `headersTimeout` and `requestTimeout` bound reading the request, not answering it: that is `Deadlines`.
 * - Node has one limit for headers and address together, so an address above it that comes in many small packets is told 431.
 * - A keep-alive connection that idles is closed by the server first. Keep a proxy's own idle timeout below
 *   `keepAliveTimeout`, or it will now and then send into a closed connection.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { HttpServer } from "effect/http"
 * import * as NodeListener from "effect-lifecycle/server/NodeListener"
 * import assert from "node:assert/strict"
 *
 * const listener = NodeListener.layer({ port: 0, host: "127.0.0.1" })
 * const address = HttpServer.addressFormattedWith(Effect.succeed).pipe(Effect.provide(listener))
 * assert.match(await Effect.runPromise(address), /^http:\/\/127\.0\.0\.1:\d+$/)
 * ```
 *
 * @since 0.1.0
 */
import { NodeHttpServer, type NodeServices } from "@effect/platform-node"
import { Clock, type Duration, Effect, Layer, Predicate, Schema } from "effect"
import type { Etag, HttpPlatform, HttpServer } from "effect/http"
import type * as Http from "node:http"
import type { Socket } from "node:net"
import { finiteMillis, millisBetween, positiveMillis, wholeNumber } from "../resilience/InvalidOption.ts"
import * as eventLoop from "./internal/eventLoop.ts"
import * as nodeMessages from "./internal/nodeMessages.ts"
import * as refusal from "./internal/nodeRefusal.ts"
import * as socketTimes from "./internal/socketTimes.ts"

/**
 * The server could not begin to listen.
 *
 * @category errors
 * @since 0.1.0
 */
export class ListenError extends Schema.TaggedError<ListenError>()("ListenError", {
  address: Schema.String,
  code: Schema.String
}) {
  override get message(): string {
    switch (this.code) {
      case "EADDRINUSE":
        return `${this.address} is taken by another process: stop that one, or choose another port`
      case "EACCES":
        return `${this.address} needs rights this process does not have: choose a port above 1023`
      case "EADDRNOTAVAIL":
      case "ENOTFOUND":
        return `${this.address} is no address of this machine: listen on 127.0.0.1 or 0.0.0.0`
      default:
        return `Cannot listen on ${this.address} (${this.code}): check host and port`
    }
  }
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** 0 takes any free port. */
  readonly port: number
  /** Default `127.0.0.1`; `0.0.0.0` listens to the network. */
  readonly host?: string | undefined
  /** The name of the service, for the reports of refused requests. */
  readonly service?: string | undefined
  /** Bytes of all headers together. Default 16 KiB. */
  readonly maxHeaderBytes?: number | undefined
  /** To read the headers. Default 10 seconds. */
  readonly headersTimeout?: Duration.Input | undefined
  /** To read the whole request. Default 60 seconds. */
  readonly requestTimeout?: Duration.Input | undefined
  /** How long an idle connection is kept. Default 75 seconds, above the 60 of most proxies. */
  readonly keepAliveTimeout?: Duration.Input | undefined
  /** Connections at the same time; more are dropped. Default unlimited. */
  readonly maxConnections?: number | undefined
  /** What requests in flight get at shutdown. Default 20 seconds. */
  readonly gracePeriod?: Duration.Input | undefined
  /** How often the delay of the event loop is reported, where somebody listens. Default 10 seconds. */
  readonly eventLoopInterval?: Duration.Input | undefined
}

/**
 * The listener, with the Node services that `HttpApi` and static files need. Throws `InvalidOption` for a number or a time
 * that makes no sense.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Options
): Layer.Layer<
  HttpServer.HttpServer | NodeServices.NodeServices | HttpPlatform.HttpPlatform | Etag.Generator,
  ListenError
> => {
  const settings = settingsOf(options)
  return Layer.unwrap(Effect.gen(function*() {
    const context = yield* Effect.context<never>()
    const clock = yield* Clock.Clock
    const host = options.host ?? "127.0.0.1"
    const { headersTimeout } = settings
    const service = options.service ?? "server"
    const run = (effect: Effect.Effect<void>) => void Effect.runForkWith(context)(effect)
    const { Server, ...messages } = nodeMessages.make(service, run)
    let opened: Http.Server | undefined
    const evaluate = () => {
      const server = opened = new Server({
        ...messages,
        // Any other upgrade may be ignored (RFC 9110, 7.8), and Node would hand its connection over and answer on it no more.
        shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === "websocket",
        maxHeaderSize: settings.maxHeaderBytes,
        headersTimeout,
        requestTimeout: Math.max(headersTimeout, settings.requestTimeout),
        keepAliveTimeout: settings.keepAliveTimeout,
        // How often Node looks for requests that are late; its default of 30 s would let them stay that much longer.
        connectionsCheckingInterval: Math.max(100, Math.min(5_000, headersTimeout / 4))
      })
      if (settings.maxConnections !== undefined) server.maxConnections = settings.maxConnections
      const connected = new WeakMap<object, bigint>()
      const stamp = (request: Http.IncomingMessage) => {
        const connectedNanos = connected.get(request.socket)
        connected.delete(request.socket)
        socketTimes.attach(request, {
          connectedNanos,
          requestNanos: clock.monotonicTimeNanosUnsafe(),
          fiber: undefined
        })
      }
      server.on("connection", (socket: Socket) => connected.set(socket, clock.monotonicTimeNanosUnsafe()))
      server.on("request", stamp)
      server.on("checkContinue", stamp)
      server.on("clientError", (error, socket) => run(refusal.answer(error, socket, service)))
      // Node would close the connection without a word.
      server.on(
        "connect",
        (_request, socket: Socket) => run(refusal.write(socket, refusal.methodUnknown, service, "CONNECT"))
      )
      return server
    }
    const observed = eventLoop.layer(service, settings.eventLoopInterval)
    // Closed before the server, and after what it serves: the grace is over, and Node would wait for every connection.
    const last = Layer.effectDiscard(Effect.addFinalizer(() => Effect.sync(() => opened?.closeAllConnections())))
    const server = NodeHttpServer.layer(evaluate, {
      port: settings.port,
      host,
      gracefulShutdownTimeout: settings.gracePeriod
    })
    return Layer.provideMerge(last, server).pipe(
      Layer.catch((error) =>
        Layer.effectContext(
          Effect.fail(new ListenError({ address: `${host}:${options.port}`, code: codeOf(error.cause) }))
        )
      ),
      Layer.merge(observed)
    )
  }))
}

const module = "NodeListener.layer"

/** Node takes zero for "without limit", and its timers take what is longer for nothing at all. */
const timer = (option: string, value: Duration.Input): number =>
  Math.ceil(millisBetween(module, option, value, 1, 2 ** 31 - 1))

const settingsOf = (options: Options) => ({
  port: wholeNumber(module, "port", options.port, 0, 65_535),
  maxHeaderBytes: wholeNumber(module, "maxHeaderBytes", options.maxHeaderBytes ?? 16_384, 1),
  headersTimeout: timer("headersTimeout", options.headersTimeout ?? "10 seconds"),
  requestTimeout: timer("requestTimeout", options.requestTimeout ?? "60 seconds"),
  keepAliveTimeout: timer("keepAliveTimeout", options.keepAliveTimeout ?? "75 seconds"),
  maxConnections: options.maxConnections === undefined
    ? undefined
    : wholeNumber(module, "maxConnections", options.maxConnections, 1),
  gracePeriod: finiteMillis(module, "gracePeriod", options.gracePeriod ?? "20 seconds"),
  eventLoopInterval: positiveMillis(module, "eventLoopInterval", options.eventLoopInterval ?? "10 seconds")
})

const codeOf = (cause: unknown): string =>
  Predicate.hasProperty(cause, "code") && typeof cause.code === "string" ? cause.code : "unknown"
