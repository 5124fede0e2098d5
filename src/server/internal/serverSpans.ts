/**
 * The spans of requests, for a tracer that somebody reads: named by method and route, and without what stands in a query.
 *
 * Effect makes these spans, from the request as it came. A query may hold a token or an address, so it is withheld where the
 * span is, whatever exporter stands behind the tracer.
 */
import { Cause, Context, Effect, Exit, Layer, Tracer } from "effect"
import { HttpMiddleware, HttpServerError } from "effect/http"
import * as Methods from "../Methods.ts"

/** Nothing at all where no tracer is: the native one has no backend. */
export const layer: Layer.Layer<never, never, Methods.Routes> = Layer.effectContext(
  Effect.contextWith((context: Context.Context<Methods.Routes>) => {
    const tracer = Context.get(context, Tracer.Tracer)
    if (tracer === Tracer.nativeTracer) return Effect.succeed(Context.empty())
    const named = Context.get(context, HttpMiddleware.SpanNameGenerator)
    // A generator that somebody chose stays.
    if (named !== unnamed) return Effect.succeed(Context.make(Tracer.Tracer, discreet(tracer, false)))
    const { routeOf } = Context.get(context, Methods.Routes)
    return Effect.succeed(
      Context.make(Tracer.Tracer, discreet(tracer, true)).pipe(
        Context.add(HttpMiddleware.SpanNameGenerator, ({ method, url }) => {
          const route = routeOf(method, url)
          return route === undefined ? method : `${method} ${route}`
        })
      )
    )
  })
)

const unnamed = Context.get(Context.empty(), HttpMiddleware.SpanNameGenerator)

const discreet = (tracer: Tracer.Tracer, named: boolean): Tracer.Tracer =>
  Tracer.make({
    ...tracer,
    span: (options) => {
      const span = tracer.span(options)
      if (options.kind !== "server") return span
      // Also for what is refused before the router sees it: whoever reads the name finds the attribute.
      const space = named ? options.name.indexOf(" ") : -1
      if (space > 0) span.attribute("http.route", options.name.slice(space + 1))
      const attribute = span.attribute.bind(span)
      const end = span.end.bind(span)
      // Not made right of an `=`: V8 would put them into the old generation, and the request with them.
      const allowed: typeof attribute = (key, value) => {
        if (key === "url.query") return
        attribute(key, key === "url.full" && typeof value === "string" ? value.split(/[?#]/, 1)[0] : value)
      }
      const ended: typeof end = (endTime, exit) => end(endTime, withoutRequest(exit))
      span.attribute = allowed
      span.end = ended
      return span
    }
  })

/** A 5xx ends its span with an error that holds the whole request. Its name and its sentence, without the query, remain. */
const withoutRequest = (exit: Exit.Exit<unknown, unknown>): Exit.Exit<unknown, unknown> => {
  if (Exit.isSuccess(exit)) return exit
  const error = exit.cause.reasons.find(Cause.isFailReason)?.error
  return HttpServerError.isHttpServerError(error) ? Exit.fail(told(error)) : exit
}

const told = ({ message, name, stack }: Error): Error =>
  Object.defineProperties(new Error(message), {
    name: { value: name },
    stack: { value: stack }
  })
