/** A server for the time of one program: the whole stack on a free port of this machine, and a way to ask it. */
import { Effect, Layer, Redacted } from "effect"
import { HttpServer } from "effect/http"
import { Authentication, ServerStack } from "effect-lifecycle/server"
import * as NodeListener from "effect-lifecycle/server/NodeListener"

const tokens = Authentication.layerTokens(Redacted.make("token123:alice"))

/** The routes behind every stage, and the server they are on. */
export const serve = <A, E, R, const O extends ServerStack.Options>(
  routes: Layer.Layer<A, E, R>,
  options: ServerStack.Exact<O>
) =>
  ServerStack.serve(routes, options).pipe(
    Layer.provide(tokens),
    Layer.provideMerge(NodeListener.layer({ port: 0, gracePeriod: "1 second" }))
  )

/** What came back. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

/** Asks the server, as Alice unless the headers say otherwise. */
export const ask = (path: string, init: RequestInit = {}): Effect.Effect<Answer, never, HttpServer.HttpServer> =>
  Effect.gen(function*() {
    const { address } = yield* HttpServer.HttpServer
    return yield* Effect.promise(async (signal) => {
      const headers = { authorization: "Bearer token123", ...(init.headers as Record<string, string> | undefined) }
      const response = await fetch(HttpServer.formatAddress(address) + path, { ...init, headers, signal })
      return { status: response.status, headers: response.headers, body: await response.text() }
    })
  })
