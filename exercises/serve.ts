/**
 * What specs about servers share: an `HttpServer` without a socket. It runs on the clock of the effect that builds it, so
 * `TestClock` drives what the server waits for.
 */
import { type Context, Deferred, Effect, Layer, Option, type Scope } from "effect"
import { HttpEffect, HttpServer, HttpServerRequest, type HttpServerResponse } from "effect/http"
import { NetAddress } from "effect/net"

/** A request, and where it comes from: the address of the socket's other end. */
export interface Ask {
  readonly path: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly peer?: string
}

/** What came back. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** The body as it came, where it is no text. */
  readonly bytes: Uint8Array
}

/** Sends a request, and reads the answer. */
export type Client = (ask: Ask) => Effect.Effect<Answer>

const peerHeader = "x-test-peer"

const fromPeer = <A, E, R>(app: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | HttpServerRequest.HttpServerRequest> =>
  Effect.updateService(app, HttpServerRequest.HttpServerRequest, (request) => {
    const { [peerHeader]: peer, ...headers } = request.headers
    const address = Option.fromUndefinedOr(peer)
    return request.modify({
      headers: Object.assign(Object.create(Object.getPrototypeOf(request.headers)), headers),
      peerAddress: address,
      remoteAddress: address
    })
  })

/** A client for an app, which runs with the services of the calling fiber. */
export const clientOf = <E>(
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, HttpServerRequest.HttpServerRequest | Scope.Scope>
): Effect.Effect<Client> =>
  Effect.contextWith((context: Context.Context<never>) => {
    const handler = HttpEffect.toWebHandlerWith<never, HttpServerRequest.HttpServerRequest | Scope.Scope>(context)(
      fromPeer(app)
    )
    return Effect.succeed(({ headers, method = "GET", path, peer }) =>
      Effect.promise(async (signal) => {
        const response = await handler(
          new Request(`http://shop.test${path}`, {
            method,
            headers: { ...headers, ...(peer === undefined ? {} : { [peerHeader]: peer }) },
            signal
          })
        )
        const bytes = new Uint8Array(await response.arrayBuffer())
        return {
          status: response.status,
          headers: Object.fromEntries(response.headers),
          body: new TextDecoder().decode(bytes),
          bytes
        }
      })
    )
  })

/** Builds what `HttpServer.serve`, `HttpRouter.serve` or `ServerStack.serve` made, and gives a client of it. */
export const open = <A, E, R>(server: Layer.Layer<A, E, R>) =>
  Effect.gen(function*() {
    const opened = yield* Deferred.make<Client>()
    const listener = HttpServer.make({
      address: NetAddress.inetAddressUnsafe(NetAddress.ipv4Loopback, 80),
      serve: (app, middleware) =>
        Effect.flatMap(clientOf(middleware === undefined ? app : middleware(app) as typeof app), (client) =>
          Deferred.succeed(opened, client))
    })
    yield* Layer.build(Layer.provide(server, Layer.succeed(HttpServer.HttpServer, listener)))
    return yield* Deferred.await(opened)
  })
