// fails: b - makes an id for every request, whatever it brought
import { Effect } from "effect"
import { RequestId } from "effect-lifecycle/request"
import { HttpEffect, type HttpServerRequest, HttpServerResponse } from "effect/http"
import { header } from "../solution.ts"

export * from "../solution.ts"

export const requestIds = <E, R>(
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function*() {
    const id = yield* RequestId.generate
    return yield* app.pipe(
      RequestId.provide(id),
      HttpEffect.withPreResponseHandler((_, response) =>
        Effect.succeed(HttpServerResponse.setHeader(response, header, id))
      )
    )
  })
