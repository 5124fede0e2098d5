/**
 * Tells a path that does not exist from a method it does not answer: 404, or 405 with `Allow`.
 *
 * `OPTIONS` on a known path answers 204 with `Allow`, `HEAD` is served from `GET`, and a method that no route could have
 * answers 501; an address that is too long is 414. `Allow` lists the methods of exactly that path, parameters and wildcards included. Nothing of it depends on
 * who asks, so an unknown path is 404 with and without a token.
 *
 * **Gotchas**
 *
 * - Node's parser refuses methods it has never heard of before any of this runs: `NodeListener` answers them with 501.
 *
 * @example
 * ```ts
 * import { Methods } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * const error = new Methods.MethodNotAllowed({ allow: "GET, HEAD, OPTIONS" })
 * assert.equal(error._tag, "MethodNotAllowed")
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, Schema } from "effect"
import { HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import { wholeNumber } from "../resilience/InvalidOption.ts"
import * as Exchange from "./Exchange.ts"
import type { MethodIndex } from "./internal/instrumentedRouter.ts"
import * as ServerStage from "./ServerStage.ts"

/**
 * The path is known and does not answer this method.
 *
 * @category errors
 * @since 0.1.0
 */
export class MethodNotAllowed extends Schema.TaggedError<MethodNotAllowed>()("MethodNotAllowed", {
  allow: Schema.String
}) {
  override get message(): string {
    return `This path answers ${this.allow}: use one of these methods`
  }
}

/**
 * No route of this server could have this method.
 *
 * @category errors
 * @since 0.1.0
 */
export class MethodUnknown extends Schema.TaggedError<MethodUnknown>()("MethodUnknown", {
  method: Schema.String
}) {
  override get message(): string {
    return `This server knows no method ${this.method}`
  }
}

/**
 * What routes there are. `ServerStack` provides it to its stages.
 *
 * @category services
 * @since 0.1.0
 */
export class Routes extends Context.Service<Routes, {
  /** The methods the path of a URL answers. */
  readonly methodsOf: (url: string) => ReadonlyArray<string>
  /** The methods any path answers. */
  readonly allMethods: () => ReadonlyArray<string>
  /** The template of the route that answers this method at a URL, such as `/users/:id`. */
  readonly routeOf: (method: string, url: string) => string | undefined
}>()("effect-lifecycle/server/Methods/Routes") {}

/**
 * The address of the request is longer than this server reads.
 *
 * @category errors
 * @since 0.1.0
 */
export class UriTooLong extends Schema.TaggedError<UriTooLong>()("UriTooLong", {
  maximum: Schema.Finite
}) {
  override get message(): string {
    return `The address is longer than ${this.maximum} characters: send what is so long in the body`
  }
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Characters of path and query; more are 414. Default 8,192, as much as RFC 9110 asks every server to take. */
  readonly maxUrlLength?: number | undefined
}

const standard = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "TRACE", "CONNECT"])

/**
 * The stage.
 *
 * @category stages
 * @since 0.1.0
 */
export const stage = (options: Options = {}): ServerStage.OuterStage<Routes> => {
  const maximum = wholeNumber("Methods.stage", "maxUrlLength", options.maxUrlLength ?? 8192, 1)
  return ServerStage.outer({
    name: "server/Methods",
    reports: "Router",
    wrap: Effect.map(Routes, (routes) => (next) => {
      const routed = Effect.catchIf(
        next,
        isRouteNotFound,
        (error) =>
          Effect.withFiber<HttpServerResponse.HttpServerResponse, unknown>((fiber) => {
            const exchange = Exchange.ofUnsafe(fiber)
            // A handler may fail with the router's error too; then the path does exist.
            if (exchange.route !== undefined) {
              return Effect.fail(error)
            }
            const { method, url } = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
            if (!standard.has(method)) {
              return Effect.fail(new MethodUnknown({ method }))
            }
            const found = method === "OPTIONS" && url === "*" ? routes.allMethods() : routes.methodsOf(url)
            if (found.length === 0) {
              return Effect.fail(error)
            }
            const allow = found.join(", ")
            return method === "OPTIONS"
              ? Effect.succeed(HttpServerResponse.empty({ status: 204, headers: { allow } }))
              : Effect.fail(new MethodNotAllowed({ allow }))
          })
      )
      return Effect.withFiber((fiber) =>
        Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest).url.length > maximum
          ? Effect.fail(new UriTooLong({ maximum }))
          : routed
      )
    })
  })
}

const isRouteNotFound = (error: unknown): error is HttpServerError.HttpServerError =>
  HttpServerError.isHttpServerError(error) && error.reason._tag === "RouteNotFound"

/**
 * {@link Routes} over what a router remembered.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromIndex = (index: () => MethodIndex | undefined): Routes["Service"] => ({
  methodsOf: (url) => index()?.find(url) ?? [],
  allMethods: () => index()?.all() ?? [],
  routeOf: (method, url) => index()?.routeOf(method, url)
})
