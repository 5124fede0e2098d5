// fails: d - makes a regular expression of the path, in which a dot is any character
import { Effect } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import type { Route } from "../routes.ts"
import { type App, isNotFound } from "../solution.ts"

export * from "../solution.ts"

export const allowed = (routes: ReadonlyArray<Route>, path: string): ReadonlyArray<string> => {
  const matches = (route: Route) => new RegExp(`^${route.path.replaceAll(/:[^/]+/g, "[^/]+")}$`).test(path)
  const verbs = new Set<string>(routes.filter(matches).map((route) => route.method))
  if (verbs.size === 0) return []
  if (verbs.has("GET")) verbs.add("HEAD")
  verbs.add("OPTIONS")
  return ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].filter((verb) => verbs.has(verb))
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
