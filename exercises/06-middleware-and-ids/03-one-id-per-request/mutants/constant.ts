// fails: d - makes the id where the server is made, once for all requests
import { Effect, Option } from "effect"
import { RequestId } from "effect-lifecycle/request"
import { HttpEffect, HttpServerRequest, HttpServerResponse } from "effect/http"
import { header, idFrom } from "../solution.ts"

export * from "../solution.ts"

export const requestIds = <E, R>(
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest.HttpServerRequest> => {
  const made = Effect.runSync(RequestId.generate)
  return Effect.gen(function*() {
    const { headers } = yield* HttpServerRequest.HttpServerRequest
    const id = Option.getOrElse(idFrom(headers[header]), () => made)
    return yield* app.pipe(
      RequestId.provide(id),
      HttpEffect.withPreResponseHandler((_, response) =>
        Effect.succeed(HttpServerResponse.setHeader(response, header, id))
      )
    )
  })
}
