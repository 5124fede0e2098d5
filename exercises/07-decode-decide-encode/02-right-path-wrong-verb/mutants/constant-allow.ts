// fails: b - lists the verbs of the whole service
import { Effect } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import type { Route } from "../routes.ts"
import { allowed as verbsOf, type App, isNotFound } from "../solution.ts"

export * from "../solution.ts"

const allowed = (routes: ReadonlyArray<Route>, path: string): ReadonlyArray<string> =>
  verbsOf(routes, path).length === 0 ? [] : ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]

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
