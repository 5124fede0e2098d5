/**
 * 07.3 Never in the log
 *
 * The log of orders is useful: everything is in it. The body, with card and PIN. The headers, with the token of the caller.
 * The url, with the token of the mail that was clicked. It is copied to three systems, and forty people read it. Somebody
 * said "take the passwords out", so there is a list of what is left out, and it is never complete. Turn it round.
 *
 * Do
 * `logged(app)`: exactly one log line for every request, `Effect.logInfo("request", { ... })`, with these fields and no
 * others:
 * - `method`, `path` (without query), `status`, `duration_ms` (from the `Clock`), `request_id` and `user` (from `RequestId`
 *   and `User`, left out where there is none);
 * - `error`, where the app failed: the tag of the error, or `"defect"`. Messages of others hold what they like.
 *
 * A failure is answered with 502 and `{ "error": "PaymentFailed" }`, a defect with 500 and `{ "error": "defect" }`. What the
 * app answers is handed over untouched. Spans and annotations get nothing of what the log must not have.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/07-decode-decide-encode/03-never-in-the-log/exercise.ts`.
 */
import { Cause, Effect } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { type App, app, RequestId } from "./service.ts"

/** The app, with one line in the log for each request. */
export const logged = (
  app: App
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    yield* Effect.logInfo("request", {
      method: request.method,
      url: request.url,
      headers: { ...request.headers },
      body: yield* Effect.orDie(request.text)
    })
    return yield* app.pipe(
      Effect.withSpan(`${request.method} ${request.url}`),
      Effect.catchCause((cause) =>
        Effect.as(
          Effect.logError("failed", Cause.pretty(cause)),
          HttpServerResponse.jsonUnsafe({ error: Cause.pretty(cause) }, { status: 500 })
        )
      )
    )
  })

if (import.meta.main) {
  const request = new Request("http://orders.internal/refused?token=t-123", { method: "POST", body: "pin=4711" })
  const program = logged(app).pipe(
    Effect.provideService(HttpServerRequest.HttpServerRequest, HttpServerRequest.fromWeb(request)),
    Effect.provideService(RequestId, "r-1")
  )
  console.log("answer", (await Effect.runPromise(program)).status)
}
