// fails: b - looks for good characters somewhere in the value
import { Effect, Option } from "effect"
import { RequestId } from "effect-lifecycle/request"
import { HttpEffect, HttpServerRequest, HttpServerResponse } from "effect/http"
import { header } from "../solution.ts"

export * from "../solution.ts"

export const idFrom = (value: string | undefined): Option.Option<RequestId.RequestId> =>
  value !== undefined && /[A-Za-z0-9._-]{1,128}/.test(value) ? Option.some(value as RequestId.RequestId) : Option.none()

export const requestIds = <E, R>(
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function*() {
    const { headers } = yield* HttpServerRequest.HttpServerRequest
    const brought = idFrom(headers[header])
    const id = Option.isSome(brought) ? brought.value : yield* RequestId.generate
    return yield* app.pipe(
      RequestId.provide(id),
      HttpEffect.withPreResponseHandler((_, response) =>
        Effect.succeed(HttpServerResponse.setHeader(response, header, id))
      )
    )
  })
