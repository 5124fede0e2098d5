// fails: d - writes the line after the app, which a failure never reaches
import { Clock, Effect, Option } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { type App, RequestId, User } from "../service.ts"

export const logged = (
  app: App
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function*() {
    const { method, url } = yield* HttpServerRequest.HttpServerRequest
    const start = yield* Clock.currentTimeMillis
    const response = yield* app
    const user = Option.getOrUndefined(yield* User)
    yield* Effect.logInfo("request", {
      method,
      path: url.split("?")[0],
      status: response.status,
      duration_ms: (yield* Clock.currentTimeMillis) - start,
      request_id: yield* RequestId,
      ...(user === undefined ? {} : { user })
    })
    return response
  }).pipe(
    Effect.catch((failure) => Effect.succeed(HttpServerResponse.jsonUnsafe({ error: failure._tag }, { status: 502 }))),
    Effect.catchDefect(() => Effect.succeed(HttpServerResponse.jsonUnsafe({ error: "defect" }, { status: 500 })))
  )
