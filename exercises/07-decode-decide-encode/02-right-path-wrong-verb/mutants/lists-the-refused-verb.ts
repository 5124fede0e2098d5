// fails: b - adds the verb that was asked for to the list
import { Effect } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import type { Route } from "../routes.ts"
import { allowed, type App, isNotFound } from "../solution.ts"

export * from "../solution.ts"

export const withMethods = (routes: ReadonlyArray<Route>, app: App): App =>
  Effect.catchIf(
    app,
    isNotFound,
    (error) =>
      Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ method, url }): App => {
        const verbs = allowed(routes, url.split("?")[0] ?? url)
        if (verbs.length === 0) return Effect.fail(error)
        const status = method === "OPTIONS" ? 204 : 405
        return Effect.succeed(
          HttpServerResponse.empty({ status, headers: { allow: [...new Set([...verbs, method])].join(", ") } })
        )
      })
  )
