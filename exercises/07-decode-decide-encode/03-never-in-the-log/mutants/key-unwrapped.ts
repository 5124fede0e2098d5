// fails: b - notes with which key payments was called
import { Cause, Clock, Effect, Option, Redacted } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { apiKey, type App, RequestId, User } from "../service.ts"

export * from "../solution.ts"

export const logged = (
  app: App
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    const start = yield* Clock.currentTimeMillis
    const { error, response } = yield* app.pipe(
      Effect.withSpan("orders"),
      Effect.annotateSpans("payments.key", Redacted.value(apiKey)),
      Effect.map((response) => ({ response, error: undefined })),
      Effect.catchCause((cause) => {
        const error = Option.match(Cause.findErrorOption(cause), {
          onNone: () => "defect",
          onSome: (failure) => failure._tag
        })
        const status = error === "defect" ? 500 : 502
        return Effect.succeed({ response: HttpServerResponse.jsonUnsafe({ error }, { status }), error })
      })
    )
    const requestId = yield* RequestId
    const user = Option.getOrUndefined(yield* User)
    yield* Effect.logInfo("request", {
      method: request.method,
      path: request.url.split("?")[0],
      status: response.status,
      duration_ms: (yield* Clock.currentTimeMillis) - start,
      ...(requestId === "" ? {} : { request_id: requestId }),
      ...(user === undefined ? {} : { user }),
      ...(error === undefined ? {} : { error })
    })
    return response
  })
