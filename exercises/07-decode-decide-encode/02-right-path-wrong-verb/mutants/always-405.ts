// fails: a - says 405 for whatever is not found
import { Effect } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import type { Route } from "../routes.ts"
import { allowed, type App, isNotFound } from "../solution.ts"

export * from "../solution.ts"

export const withMethods = (routes: ReadonlyArray<Route>, app: App): App =>
  Effect.catchIf(app, isNotFound, () =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ method, url }): App => {
      const verbs = allowed(routes, url.split("?")[0] ?? url)
      const status = method === "OPTIONS" ? 204 : 405
      return Effect.succeed(HttpServerResponse.empty({ status, headers: { allow: verbs.join(", ") } }))
    }))
