import { Effect } from "effect"
import { HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import type { Route } from "./routes.ts"

export type App = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  unknown,
  HttpServerRequest.HttpServerRequest
>

export const isNotFound = (error: unknown): boolean =>
  HttpServerError.isHttpServerError(error) && error.reason._tag === "RouteNotFound"

const order = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

const matches = (route: Route, path: string): boolean => {
  const wanted = route.path.split("/")
  const parts = path.split("/")
  return wanted.length === parts.length &&
    wanted.every((part, index) => part.startsWith(":") ? parts[index] !== "" : part === parts[index])
}

export const allowed = (routes: ReadonlyArray<Route>, path: string): ReadonlyArray<string> => {
  const verbs = new Set<string>(routes.filter((route) => matches(route, path)).map((route) => route.method))
  if (verbs.size === 0) return []
  if (verbs.has("GET")) verbs.add("HEAD")
  verbs.add("OPTIONS")
  return order.filter((verb) => verbs.has(verb))
}

export const withMethods = (routes: ReadonlyArray<Route>, app: App): App =>
  Effect.catchIf(
    app,
    isNotFound,
    (error) =>
      Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ method, url }): App => {
        const verbs = allowed(routes, url.split("?")[0] ?? url)
        if (verbs.length === 0) return Effect.fail(error)
        const status = method === "OPTIONS" ? 204 : 405
        return Effect.succeed(HttpServerResponse.empty({ status, headers: { allow: verbs.join(", ") } }))
      })
  )
