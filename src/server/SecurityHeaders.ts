/**
 * The headers that keep an API's answers from being misread by browsers: no sniffing, no caching, no framing.
 *
 * They are on every outcome. A response that sets one of them itself (a cacheable `Cache-Control`, a page's own policy)
 * keeps its own value.
 *
 * **Gotchas**
 *
 * - `Referrer-Policy` says what a page tells the next one, and an answer in JSON has no links: add it where you serve pages.
 * - `Strict-Transport-Security` is sent only where the request came over https, as its RFC asks.
 *
 * @example
 * ```ts
 * import { SecurityHeaders } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * assert.equal(SecurityHeaders.defaults["x-content-type-options"], "nosniff")
 * assert.equal(SecurityHeaders.stage({ headers: { "cache-control": "no-cache" } }).name, "server/SecurityHeaders")
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect } from "effect"
import { HttpServerRequest } from "effect/http"
import { headerName, headerValue } from "../resilience/InvalidOption.ts"
import * as Exchange from "./Exchange.ts"
import * as scheme from "./internal/scheme.ts"
import * as ServerStage from "./ServerStage.ts"

/**
 * The headers sent by default.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaults: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "cache-control": "no-store",
  "content-security-policy": "frame-ancestors 'none'"
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Added to {@link defaults}; `undefined` removes one. */
  readonly headers?: Readonly<Record<string, string | undefined>> | undefined
  /** The value of `Strict-Transport-Security` over https. Default one year with subdomains; `undefined` sends none. */
  readonly strictTransportSecurity?: string | undefined
}

const module = "SecurityHeaders.stage"

/**
 * The stage. Throws `InvalidOption` for what can be no header.
 *
 * @category stages
 * @since 0.1.0
 */
export const stage = (options: Options = {}): ServerStage.OuterStage => {
  const plain: Record<string, string> = { ...defaults }
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    const header = headerName(module, "headers", name)
    if (value === undefined) delete plain[header]
    else plain[header] = headerValue(module, `headers.${header}`, value)
  }
  const hsts = "strictTransportSecurity" in options
    ? options.strictTransportSecurity
    : "max-age=31536000; includeSubDomains"
  const secure = hsts === undefined
    ? plain
    : { ...plain, "strict-transport-security": headerValue(module, "strictTransportSecurity", hsts) }
  return ServerStage.outer({
    name: "server/SecurityHeaders",
    reports: "Middleware",
    wrap: (next) =>
      Effect.withFiber((fiber) => {
        const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
        Exchange.ofUnsafe(fiber).defaultHeaders = scheme.of(request) === "https" ? secure : plain
        return next
      })
  })
}
