// fails: c - refuses OPTIONS as well
import { Effect } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import type { Route } from "../routes.ts"
import { allowed, type App, isNotFound } from "../solution.ts"

export * from "../solution.ts"

export const withMethods = (routes: ReadonlyArray<Route>, app: App): App =>
  Effect.catchIf(app, isNotFound, (error) =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ url }): App => {
      const verbs = allowed(routes, url.split("?")[0] ?? url)
      if (verbs.length === 0) return Effect.fail(error)
      return Effect.succeed(HttpServerResponse.empty({ status: 405, headers: { allow: verbs.join(", ") } }))
    }))
