/**
 * Decides whose trace a request may join. A trusted peer's `traceparent` (or `b3`) becomes the parent of the server span;
 * from any other peer it is dropped and the request starts a trace of its own.
 *
 * The span itself is Effect's: `effect/http` makes it and ends it when the answer was sent. This stage takes over where
 * Effect would have believed a stranger, and sees to what the span says:
 *
 * - Its name is `{method} {http.route}`, such as `GET /users/:id`, with the attribute `http.route`; where no route answers,
 *   the method alone. A `HttpMiddleware.SpanNameGenerator` of your own stays.
 * - No query reaches a tracer: `url.full` ends before it, `url.query` is left out, and the error with which a 5xx ends its
 *   span does not hold the request. That goes for every exporter, also for one that this library does not know.
 *
 * **Gotchas**
 *
 * - The tracer is the one the server is built with. Provide it around `ServerStack.serve`, not around its handlers.
 * - The path is on the span as it came (`url.path`): a secret belongs into a header, or into the body.
 * - Without a tracer nothing is made and the stage costs one comparison.
 *
 * @example
 * ```ts
 * import { TraceContext } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * assert.equal(TraceContext.stage({ trust: "none" }).name, "server/TraceContext")
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, Layer, Option } from "effect"
import { Headers, HttpMiddleware, HttpServerRequest } from "effect/http"
import * as serverSpans from "./internal/serverSpans.ts"
import * as ServerStage from "./ServerStage.ts"
import * as TrustedHops from "./TrustedHops.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Whose traces are joined. Default `"private"`. */
  readonly trust?: TrustedHops.Trust | undefined
}

const traceHeaders = ["traceparent", "tracestate", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled"]

const isStranger =
  (trusts: (address: string | undefined) => boolean) => (request: HttpServerRequest.HttpServerRequest): boolean =>
    (request.headers["traceparent"] !== undefined || request.headers["b3"] !== undefined ||
      request.headers["x-b3-traceid"] !== undefined) && !trusts(Option.getOrUndefined(request.peerAddress))

/**
 * The stage.
 *
 * @category stages
 * @since 0.1.0
 */
export const stage = (options: Options = {}): ServerStage.OuterStage => {
  const stranger = isStranger(TrustedHops.make(options.trust ?? "private"))
  return ServerStage.outer({
    name: "server/TraceContext",
    reports: "Middleware",
    // Effect makes its span before any stage runs, so it has to be told beforehand.
    install: Layer.merge(Layer.succeed(HttpMiddleware.TracerDisabledWhen, stranger), serverSpans.layer),
    wrap: (next) =>
      Effect.withFiber((fiber) => {
        const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
        if (!stranger(request)) return next
        const anonymous = request.modify({ headers: Headers.removeMany(request.headers, traceHeaders) })
        return HttpMiddleware.tracer(next).pipe(
          Effect.updateContext((context: Context.Context<ServerStage.Provided>) =>
            context.pipe(
              Context.add(HttpServerRequest.HttpServerRequest, anonymous),
              Context.add(HttpMiddleware.TracerDisabledWhen, () => false)
            )
          )
        )
      })
  })
}
