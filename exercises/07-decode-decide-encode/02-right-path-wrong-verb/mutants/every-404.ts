// fails: a - looks at the status, and takes the 404 of a handler for the router'\''s
import { Effect } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import type { Route } from "../routes.ts"
import { allowed, type App, isNotFound } from "../solution.ts"

export * from "../solution.ts"

export const withMethods = (routes: ReadonlyArray<Route>, app: App): App =>
  Effect.catchIf(app, isNotFound, () => Effect.succeed(HttpServerResponse.empty({ status: 404 }))).pipe(
    Effect.flatMap((response) =>
      Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ method, url }): App => {
        const verbs = allowed(routes, url.split("?")[0] ?? url)
        if (response.status !== 404) return Effect.succeed(response)
        if (verbs.length === 0) return app
        const status = method === "OPTIONS" ? 204 : 405
        return Effect.succeed(HttpServerResponse.empty({ status, headers: { allow: verbs.join(", ") } }))
      })
    )
  )
