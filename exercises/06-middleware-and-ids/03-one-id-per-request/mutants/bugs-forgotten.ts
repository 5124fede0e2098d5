// fails: c - catches what failed, and forgets that a bug is no failure
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
    return yield* app.pipe(
      RequestId.provide(id),
      Effect.catch(() => Effect.succeed(HttpServerResponse.empty({ status: 500 }))),
      Effect.map((response) => HttpServerResponse.setHeader(response, header, id))
    )
  })
