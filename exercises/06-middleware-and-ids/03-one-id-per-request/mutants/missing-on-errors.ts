// fails: c - puts the id on what the app gives back, and an error gives nothing back
import { Effect, Option } from "effect"
import { RequestId } from "effect-lifecycle/request"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { header, idFrom } from "../solution.ts"

export * from "../solution.ts"

export const requestIds = <E, R>(
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function*() {
    const { headers } = yield* HttpServerRequest.HttpServerRequest
    const brought = idFrom(headers[header])
    const id = Option.isSome(brought) ? brought.value : yield* RequestId.generate
    return HttpServerResponse.setHeader(yield* RequestId.provide(app, id), header, id)
  })
