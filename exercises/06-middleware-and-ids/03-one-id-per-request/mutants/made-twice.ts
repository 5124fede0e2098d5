// fails: d - makes an id for the handler and another one for the answer
import { Effect, Option } from "effect"
import { RequestId } from "effect-lifecycle/request"
import { HttpEffect, HttpServerRequest, HttpServerResponse } from "effect/http"
import { header, idFrom } from "../solution.ts"

export * from "../solution.ts"

export const requestIds = <E, R>(
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function*() {
    const { headers } = yield* HttpServerRequest.HttpServerRequest
    const id = Option.match(idFrom(headers[header]), { onNone: () => RequestId.generate, onSome: Effect.succeed })
    return yield* app.pipe(
      RequestId.provide(yield* id),
      HttpEffect.withPreResponseHandler((_, response) =>
        Effect.map(id, (id) => HttpServerResponse.setHeader(response, header, id))
      )
    )
  })
