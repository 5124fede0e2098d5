/**
 * Gives every request its id and puts it on every answer: 200, 404, 405, 413, 422, 500, 503 and streams alike.
 *
 * An id is taken from `x-request-id`, then `x-kong-request-id`, where the peer is trusted (see `TrustedHops`) and the value
 * is one (`[A-Za-z0-9._-]{1,128}`); otherwise a new UUID of version 7 is made. It becomes `RequestId.Current`, so outgoing
 * calls forward it, and the log annotation `requestId`.
 *
 * **Gotchas**
 *
 * - A request that Node's parser refuses never becomes a request; `NodeListener` answers it with an id of its own.
 *
 * @example
 * ```ts
 * import { RequestIds } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * const stage = RequestIds.stage({ trust: "none", responseHeader: "x-request-id" })
 * assert.equal(stage.reports, "Middleware")
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, type Fiber, Option } from "effect"
import { HttpServerRequest } from "effect/http"
import * as Recorder from "../lifecycle/Recorder.ts"
import * as RequestId from "../request/RequestId.ts"
import { headerName } from "../resilience/InvalidOption.ts"
import * as Exchange from "./Exchange.ts"
import * as ServerStage from "./ServerStage.ts"
import * as TrustedHops from "./TrustedHops.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Whose ids are taken over. Default `"private"`. */
  readonly trust?: TrustedHops.Trust | undefined
  /** The headers read, first usable one wins. Default `x-request-id`, `x-kong-request-id`. */
  readonly headers?: ReadonlyArray<string> | undefined
  /** The header written. Default `x-request-id`. */
  readonly responseHeader?: string | undefined
}

const module = "RequestIds.stage"

/**
 * The stage. Throws `InvalidOption` for what can be no name of a header.
 *
 * @category stages
 * @since 0.1.0
 */
export const stage = (options: Options = {}): ServerStage.OuterStage => {
  const trusts = TrustedHops.make(options.trust ?? "private")
  const headers = (options.headers ?? RequestId.defaultHeaders).map((name) => headerName(module, "headers", name))
  const responseHeader = headerName(module, "responseHeader", options.responseHeader ?? "x-request-id")
  return ServerStage.outer({
    name: "server/RequestIds",
    reports: "Middleware",
    wrap: (next) => {
      const named = (fiber: Fiber.Fiber<unknown, unknown>, id: RequestId.RequestId) => {
        const exchange = Exchange.ofUnsafe(fiber)
        exchange.requestId = id
        exchange.headers[responseHeader] = id
        exchange.logAnnotations["requestId"] = id
        Exchange.addUnsafe(fiber, RequestId.Current, Option.some(id))
        return next
      }
      return Effect.withFiber((fiber) => {
        const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
        const exchange = Exchange.ofUnsafe(fiber)
        const sent = headers.find((name) => request.headers[name] !== undefined)
        if (sent !== undefined) {
          const trusted = trusts(exchange.peer)
          const inherited = RequestId.fromHeaders(request.headers, { headers, trusted })
          if (Option.isSome(inherited)) return named(fiber, inherited.value)
          const recorder = fiber.getRef(Recorder.Current)
          if (recorder !== undefined) {
            recorder({
              _tag: "HeaderIgnored",
              header: sent,
              reason: trusted ? "not a request id" : "untrusted hop"
            }, fiber)
          }
        }
        return named(fiber, RequestId.generateUnsafe(fiber))
      })
    }
  })
}
