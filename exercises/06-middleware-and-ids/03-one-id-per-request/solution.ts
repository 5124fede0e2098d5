import { Effect, Option } from "effect"
import { RequestId } from "effect-lifecycle/request"
import { Authentication, RequestIds } from "effect-lifecycle/server"
import { HttpEffect, HttpServerRequest, HttpServerResponse } from "effect/http"

export const header = "x-request-id"
export const edge = "192.0.2.1"

export const idFrom = (value: string | undefined): Option.Option<RequestId.RequestId> => RequestId.parse(value ?? "")

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

export const stages = {
  service: "orders",
  authentication: Authentication.stage({ exempt: ["/*"] }),
  requestIds: RequestIds.stage({ trust: (address) => address === edge, headers: ["x-edge-id"] })
}
