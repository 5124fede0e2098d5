// fails: d - makes the id when there is an answer to put it on; the handler has none
import { Effect, Option } from "effect"
import { RequestId } from "effect-lifecycle/request"
import { HttpEffect, type HttpServerRequest, HttpServerResponse } from "effect/http"
import { header, idFrom } from "../solution.ts"

export * from "../solution.ts"

export const requestIds = <E, R>(
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest.HttpServerRequest> =>
  HttpEffect.withPreResponseHandler(app, (request, response) =>
    Effect.map(
      Option.match(idFrom(request.headers[header]), { onNone: () => RequestId.generate, onSome: Effect.succeed }),
      (id) => HttpServerResponse.setHeader(response, header, id)
    ))
