/**
 * 07.2 Right path, wrong verb
 *
 * `POST /orders/7` answers 404. There is an order 7, so the client looks for a mistake in its address, for an hour. The
 * router looks for verb and path at once, and says the same for either: not found. 405 would have told, and its header
 * `Allow` would have told which verbs there are.
 *
 * Do
 * 1. `allowed(routes, path)`: the verbs that a path answers, in the order GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS. A
 *    part of a route that begins with a colon stands for any one part that is not empty. A path with GET answers HEAD too
 *    (the router does that), and a path with any verb answers OPTIONS. A path that no route has answers nothing.
 * 2. `withMethods(routes, app)`: what the router has not found, on a path that has other verbs, is answered with 405 and
 *    `Allow` with these verbs, separated by a comma and a space. `OPTIONS` there is 204, with the same `Allow`. Anything
 *    else stays as it is: a path that is not known fails as before, and the 404 of a handler is the handler's.
 *
 * The url of a request (`request.url`) may have a query. Check: `npm run learn`.
 * Try: `npx tsx workspace/07-decode-decide-encode/02-right-path-wrong-verb/exercise.ts`.
 */
import { Effect, Layer } from "effect"
import { Probe } from "effect-lifecycle/client"
import { Timeline } from "effect-lifecycle/lifecycle"
import * as NodeListener from "effect-lifecycle/server/NodeListener"
import { HttpServer, HttpServerError, type HttpServerRequest, type HttpServerResponse } from "effect/http"
import { type Route, router, routes } from "./routes.ts"

/** A server: an answer to the request of the context. */
export type App = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  unknown,
  HttpServerRequest.HttpServerRequest
>

/** Whether a failure is that of the router. */
export const isNotFound = (error: unknown): boolean =>
  HttpServerError.isHttpServerError(error) && error.reason._tag === "RouteNotFound"

/** The verbs that a path answers. */
export const allowed = (_routes: ReadonlyArray<Route>, _path: string): ReadonlyArray<string> => []

/** The app, which knows a wrong verb from a wrong path. */
export const withMethods = (_routes: ReadonlyArray<Route>, app: App): App => app

if (import.meta.main) {
  const program = Effect.gen(function*() {
    const app = yield* router
    const server = HttpServer.serve(withMethods(routes, app as App)).pipe(
      Layer.provideMerge(NodeListener.layer({ port: 0, host: "127.0.0.1" }))
    )
    yield* Effect.gen(function*() {
      const address = yield* HttpServer.addressFormattedWith(Effect.succeed)
      const answer = yield* Probe.probe({ url: `${address}/orders/7`, method: "POST" })
      console.log(`POST /orders/7: ${answer.status}, allow: ${answer.headers["allow"] ?? "not said"}`)
      console.log(Timeline.waterfall(answer.timeline))
    }).pipe(Effect.provide(server))
  })
  await Effect.runPromise(Effect.scoped(program))
}
