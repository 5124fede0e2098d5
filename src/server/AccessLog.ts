/**
 * Reports every request twice: when it reaches the server and when its answer has left, body included, or its client has.
 *
 * The reports go to `lifecycle/Recorder`; `observability/` makes the log line and the metrics of them. They hold method,
 * route template, path without query, status, duration, request id and user id, and there is no option that adds a header
 * or a body.
 *
 * **Gotchas**
 *
 * - A stream ends its request when its last byte has been handed over, not when its headers were sent.
 * - The outcome is `aborted` when the client left (status 499), `failed` for a status of 500 and more and for a body that
 *   broke off, else `ok`: a 404 is a fine answer.
 *
 * @example
 * ```ts
 * import { AccessLog } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * assert.equal(AccessLog.stage().name, "server/AccessLog")
 * ```
 *
 * @since 0.1.0
 */
import { Cause, Context, Effect, Exit } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Recorder from "../lifecycle/Recorder.ts"
import * as Exchange from "./Exchange.ts"
import * as scheme from "./internal/scheme.ts"
import * as ServerStage from "./ServerStage.ts"
import * as TrustedHops from "./TrustedHops.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Who may name itself in `x-service-name`. Default `"private"`. */
  readonly trust?: TrustedHops.Trust | undefined
}

/**
 * The stage.
 *
 * @category stages
 * @since 0.1.0
 */
export const stage = (options: Options = {}): ServerStage.OuterStage => {
  const trusts = TrustedHops.make(options.trust ?? "private")
  return ServerStage.outer({
    name: "server/AccessLog",
    reports: "Middleware",
    wrap: (next) =>
      Effect.withFiber((fiber) => {
        const recorder = fiber.getRef(Recorder.Current)
        if (recorder === undefined) return next
        const exchange = Exchange.ofUnsafe(fiber)
        const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
        const { headers } = request
        const asked = scheme.of(request)
        recorder(
          { _tag: "ServerRequestStarted", service: exchange.service, method: exchange.method, scheme: asked },
          fiber
        )
        const requestBytes = lengthOf(headers)
        const client = headers["x-service-name"]
        // By way of a constant: V8 puts a function that is written right of a property's `=` into the old generation, and
        // there it would hold the whole request beyond the next collections of the young one.
        const ended: Exchange.State["ended"] = (exit, responseBytes) => {
          // Its status has been sent, so no problem can tell of it: the operator has to be told.
          const left = Exit.isFailure(exit) && exit.cause.reasons.every(isLeaving)
          if (Exit.isFailure(exit) && !left) {
            recorder(
              { _tag: "DefectCaught", stage: "Response", requestId: exchange.requestId, cause: exit.cause },
              fiber
            )
          }
          const aborted = exchange.status === 499 || left
          recorder({
            _tag: "ServerRequestEnded",
            service: exchange.service,
            method: exchange.method,
            scheme: asked,
            route: exchange.route,
            path: exchange.path,
            status: aborted ? 499 : exchange.status,
            outcome: aborted ? "aborted" : exchange.status >= 500 || Exit.isFailure(exit) ? "failed" : "ok",
            stage: exchange.answeredBy,
            requestId: exchange.requestId,
            userId: exchange.userId,
            client: client !== undefined && trusts(exchange.peer) ? nameOf(client) : undefined,
            requestBytes,
            responseBytes,
            startNanos: exchange.startNanos,
            endNanos: Exchange.nowUnsafe(fiber)
          }, fiber)
        }
        exchange.ended = ended
        return next
      })
  })
}

/** Beside the interruption of who has left, the platform keeps the answer that nobody gets as a defect. */
const isLeaving = (reason: Cause.Reason<unknown>): boolean =>
  Cause.isInterruptReason(reason) ||
  (Cause.isDieReason(reason) && HttpServerResponse.isHttpServerResponse(reason.defect))

/** What was said, not what came: a body that is not read has no other length. */
const lengthOf = (headers: Readonly<Record<string, string>>): number | undefined => {
  const declared = headers["content-length"]
  if (declared !== undefined) return Number(declared)
  return headers["transfer-encoding"] === undefined ? 0 : undefined
}

const nameOf = (name: string): string | undefined => /^[\w.-]{1,64}$/.test(name) ? name.toLowerCase() : undefined
