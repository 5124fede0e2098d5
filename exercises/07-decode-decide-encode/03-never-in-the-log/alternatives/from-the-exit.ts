import { Cause, Clock, Effect, Exit, Option } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { type App, RequestId, User } from "../service.ts"

const refusal = (status: number, error: string) => ({
  error: Option.some(error),
  response: HttpServerResponse.jsonUnsafe({ error }, { status })
})

/** What is handed over, and the one word about it that the log may have. */
const answerOf = (exit: Exit.Exit<HttpServerResponse.HttpServerResponse, Effect.Error<App>>) => {
  if (Exit.isSuccess(exit)) return { response: exit.value, error: Option.none<string>() }
  const failure = exit.cause.reasons.find(Cause.isFailReason)
  return failure === undefined ? refusal(500, "defect") : refusal(502, failure.error._tag)
}

/** The fields that are there. */
const present = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

export const logged = (
  app: App
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function*() {
    const began = yield* Clock.currentTimeMillis
    const { error, response } = answerOf(yield* Effect.exit(app))
    const request = yield* HttpServerRequest.HttpServerRequest
    const [path] = request.url.split("?", 1)
    const line = present({
      method: request.method,
      path,
      status: response.status,
      duration_ms: (yield* Clock.currentTimeMillis) - began,
      request_id: (yield* RequestId) || undefined,
      user: Option.getOrUndefined(yield* User),
      error: Option.getOrUndefined(error)
    })
    yield* Effect.logInfo("request", line)
    return response
  })
