// A pattern of one's own, a UUID of the platform, and an answer made of every cause instead of a pre-response handler.
import { Context, Effect, Option } from "effect"
import { RequestId } from "effect-lifecycle/request"
import { HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import { header } from "../solution.ts"

export { edge, header, stages } from "../solution.ts"

export const idFrom = (value: string | undefined): Option.Option<RequestId.RequestId> =>
  value !== undefined && /^[\w.-]{1,128}$/.test(value) ? Option.some(value as RequestId.RequestId) : Option.none()

export const requestIds = <E, R>(
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest.HttpServerRequest> =>
  HttpServerRequest.HttpServerRequest.use((request) => {
    const id = Option.getOrElse(idFrom(request.headers[header]), () => crypto.randomUUID() as RequestId.RequestId)
    return app.pipe(
      Effect.updateContext((context: Context.Context<R>) => Context.add(context, RequestId.Current, Option.some(id))),
      Effect.catchCause((cause) => Effect.map(HttpServerError.causeResponse(cause), ([response]) => response)),
      Effect.map(HttpServerResponse.setHeader(header, id))
    )
  })
