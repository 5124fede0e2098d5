import { Effect, Exit } from "effect"
import { HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import type { Route } from "../routes.ts"

export type App = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  unknown,
  HttpServerRequest.HttpServerRequest
>

export const isNotFound = (error: unknown): boolean =>
  HttpServerError.isHttpServerError(error) && error.reason._tag === "RouteNotFound"

/** A route as a regular expression: a part with a colon is anything but a slash, everything else is itself. */
const patternOf = ({ path }: Route): RegExp => {
  const parts = path.split("/").map((part) => part.startsWith(":") ? "[^/]+" : part.replaceAll(/\W/g, "\\$&"))
  return new RegExp(`^${parts.join("/")}$`)
}

export const allowed = (routes: ReadonlyArray<Route>, path: string): ReadonlyArray<string> => {
  const written = routes.filter((route) => patternOf(route).test(path)).map(({ method }) => method as string)
  const answers: Record<string, boolean> = {
    GET: written.includes("GET"),
    HEAD: written.includes("GET") || written.includes("HEAD"),
    POST: written.includes("POST"),
    PUT: written.includes("PUT"),
    PATCH: written.includes("PATCH"),
    DELETE: written.includes("DELETE"),
    OPTIONS: written.length > 0
  }
  return Object.keys(answers).filter((verb) => answers[verb])
}

export const withMethods = (routes: ReadonlyArray<Route>, app: App): App =>
  Effect.gen(function*() {
    const { method, url } = yield* HttpServerRequest.HttpServerRequest
    const exit = yield* Effect.exit(app)
    const error = Exit.findErrorOption(exit)
    if (error._tag === "None" || !isNotFound(error.value)) return yield* exit
    const allow = allowed(routes, new URL(url, "http://localhost").pathname).join(", ")
    if (allow === "") return yield* exit
    return HttpServerResponse.empty({ status: method === "OPTIONS" ? 204 : 405, headers: { allow } })
  })
