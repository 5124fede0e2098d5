/**
 * Lets pages of other origins call this server (CORS, as the Fetch standard has it), for the origins you name.
 *
 * It stands before the router and before authentication: a preflight is answered there, 204 with the methods that the path
 * really has, and every other outcome carries the headers too, so a page can read a 401, a 404, a 422 or a 500. `Vary:
 * Origin` is on every answer unless all origins get the same one. Pages may read the headers of {@link exposed}.
 *
 * There is no default for `origins`: without this stage no page of another origin reads anything. Credentials together with
 * `"*"` are refused when the stage is built, by the type and with `InvalidOption`.
 *
 * **Gotchas**
 *
 * - It protects users of browsers, not the server: a request of an origin that is not named is answered as any other, only
 *   the page cannot read it. Authentication is what keeps others out.
 * - An `OPTIONS` without `Access-Control-Request-Method` is no preflight and gets `Allow` from `Methods`.
 *
 * @example
 * ```ts
 * import { Cors } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * const stage = Cors.stage({ origins: ["https://app.example.com", "https://*.preview.example.com"], credentials: true })
 * assert.equal(stage.attachment, "router")
 * assert.throws(() => Cors.stage({ origins: ["app.example.com"] }), /origins must be/)
 * ```
 *
 * @since 0.1.0
 */
import { Context, type Duration, Effect } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { finiteMillis, headerName, InvalidOption } from "../resilience/InvalidOption.ts"
import * as Exchange from "./Exchange.ts"
import * as Methods from "./Methods.ts"
import * as ServerStage from "./ServerStage.ts"

/**
 * What pages may send beyond the headers that need no leave.
 *
 * @category constants
 * @since 0.1.0
 */
export const allowed: ReadonlyArray<string> = [
  "authorization",
  "content-type",
  "idempotency-key",
  "if-match",
  "if-none-match",
  "priority",
  "traceparent",
  "tracestate",
  "x-request-id",
  "x-request-priority",
  "x-request-timeout"
]

/**
 * What pages may read of an answer beyond the headers every page may.
 *
 * @category constants
 * @since 0.1.0
 */
export const exposed: ReadonlyArray<string> = [
  "etag",
  "idempotency-replayed",
  "link",
  "location",
  "ratelimit",
  "ratelimit-policy",
  "retry-after",
  "server-timing",
  "www-authenticate",
  "x-request-id"
]

interface Shared {
  /** Headers of requests beyond {@link allowed}; `"requested"` allows whatever the page asks for. */
  readonly allowedHeaders?: ReadonlyArray<string> | "requested" | undefined
  /** Headers of answers beyond {@link exposed}. */
  readonly exposedHeaders?: ReadonlyArray<string> | undefined
  /** How long a browser may keep what a preflight said. Default 10 minutes. */
  readonly maxAge?: Duration.Input | undefined
}

/**
 * The origins, such as `https://app.example.com`, `https://*.example.com` for all hosts below one, or a test of the origin.
 * `"*"` is everybody, and nobody with credentials.
 *
 * @category models
 * @since 0.1.0
 */
export type Options =
  & Shared
  & (
    | { readonly origins: "*"; readonly credentials?: false | undefined }
    | {
      readonly origins: ReadonlyArray<string> | ((origin: string) => boolean)
      /** Whether cookies and HTTP authentication of the browser come along. Default no. */
      readonly credentials?: boolean | undefined
    }
  )

/**
 * The stage. Throws `InvalidOption` for origins and headers that are none, and for credentials with `"*"`.
 *
 * @category stages
 * @since 0.1.0
 */
export const stage = (options: Options): ServerStage.OuterStage<Methods.Routes> => {
  const credentials: boolean = options.credentials ?? false
  const everybody = options.origins === "*"
  if (everybody && credentials) {
    throw new InvalidOption({
      module: "Cors.stage",
      option: "credentials",
      value: "true",
      allowed: "false where origins is \"*\": name the origins that may send credentials"
    })
  }
  const isAllowed = originTest(options.origins)
  const echoesHeaders = options.allowedHeaders === "requested"
  const named = (option: string, names: ReadonlyArray<string> = []) =>
    names.map((name) => headerName("Cors.stage", option, name))
  const allowedHeaders = [
    ...allowed,
    ...named("allowedHeaders", options.allowedHeaders === "requested" ? [] : options.allowedHeaders)
  ].join(", ")
  const exposedHeaders = [...exposed, ...named("exposedHeaders", options.exposedHeaders)].join(", ")
  const maxAge = String(Math.floor(finiteMillis("Cors.stage", "maxAge", options.maxAge ?? "10 minutes") / 1000))

  const grant = (exchange: Exchange.State, origin: string): void => {
    exchange.headers["access-control-allow-origin"] = everybody ? "*" : origin
    if (credentials) exchange.headers["access-control-allow-credentials"] = "true"
  }
  const preflight = (
    exchange: Exchange.State,
    routes: Methods.Routes["Service"],
    request: HttpServerRequest.HttpServerRequest,
    method: string
  ): HttpServerResponse.HttpServerResponse => {
    Exchange.varyUnsafe(exchange, "Access-Control-Request-Method, Access-Control-Request-Headers")
    if (exchange.headers["access-control-allow-origin"] !== undefined) {
      // A path nobody knows allows what was asked for: the page is to see the 404, not a failed preflight.
      const methods = routes.methodsOf(request.url)
      const asked = request.headers["access-control-request-headers"]
      exchange.headers["access-control-allow-methods"] = methods.length === 0
        ? isToken(method) ? method : "GET"
        : methods.join(", ")
      exchange.headers["access-control-allow-headers"] = echoesHeaders && asked !== undefined && isTokenList(asked)
        ? asked
        : allowedHeaders
      exchange.headers["access-control-max-age"] = maxAge
    }
    return HttpServerResponse.empty({ status: 204 })
  }
  return ServerStage.outer<Methods.Routes>({
    name: "server/Cors",
    reports: "Middleware",
    wrap: Effect.map(Methods.Routes, (routes) => (next) =>
      Effect.withFiber((fiber) => {
        const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
        const exchange = Exchange.ofUnsafe(fiber)
        if (!everybody) Exchange.varyUnsafe(exchange, "Origin")
        const origin = request.headers["origin"]
        if (origin === undefined) return next
        if (isAllowed(origin)) grant(exchange, origin)
        const method = request.method === "OPTIONS" ? request.headers["access-control-request-method"] : undefined
        if (method !== undefined) return Effect.succeed(preflight(exchange, routes, request, method))
        if (exchange.headers["access-control-allow-origin"] !== undefined) {
          exchange.headers["access-control-expose-headers"] = exposedHeaders
        }
        return next
      }))
  })
}

const isToken = (text: string): boolean => /^[\w!#$%&'*+.^`|~-]{1,64}$/.test(text)
const isTokenList = (text: string): boolean => /^[\w!#$%&'*+.^`|~, -]{1,2048}$/.test(text)

const originTest = (origins: Options["origins"]): (origin: string) => boolean => {
  if (origins === "*") return () => true
  if (typeof origins === "function") return origins
  const wrong = origins.find((origin) => !isOrigin(origin.replace("://*.", "://")))
  if (origins.length === 0 || wrong !== undefined) {
    throw new InvalidOption({
      module: "Cors.stage",
      option: "origins",
      value: wrong === undefined ? "an empty list" : JSON.stringify(wrong),
      allowed: "\"*\" or origins as browsers send them, such as https://app.example.com: " +
        "scheme, host and port, in lower case, without a path"
    })
  }
  const exact = new Set(origins.filter((origin) => !origin.includes("://*.")))
  const below = origins.filter((origin) => origin.includes("://*.")).map((origin) => {
    const star = origin.indexOf("*")
    return { before: origin.slice(0, star), after: origin.slice(star + 1) }
  })
  return (origin) =>
    exact.has(origin) ||
    below.some(({ after, before }) =>
      origin.startsWith(before) && origin.endsWith(after) &&
      /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/.test(origin.slice(before.length, -after.length))
    )
}

const isOrigin = (text: string): boolean => {
  if (!URL.canParse(text)) return false
  const { host, protocol } = new URL(text)
  return host !== "" && `${protocol}//${host}` === text
}
