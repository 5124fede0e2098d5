/** The access log holds six safe fields and has no way to hold more. */
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { Logs } from "effect-lifecycle/observability"
import { ours, source } from "./support/say.ts"
import { ask, serve } from "./support/serve.ts"

const lines: Array<string> = []

const routes = HttpRouter.add("POST", "/login/:name", HttpServerResponse.jsonUnsafe({ ok: true }))
const server = serve(routes, { service: "users" }).pipe(
  Layer.provideMerge(Logs.layer({ service: "users", sink: (line) => lines.push(line) }))
)

const program = Effect.gen(function*() {
  source("logger.info(f\"Request: {request.method} {request.url}\"): the query string is in the log, and what it holds")
  yield* ask("/login/alice?token=s3cret", {
    method: "POST",
    headers: { "content-type": "application/json", "x-request-id": "abc-123" },
    body: JSON.stringify({ password: "hunter2" })
  })
  // The line is written when the answer has left.
  yield* Effect.sleep("50 millis")

  source("log only method, path, status code, duration, request id and user id")
  for (const line of lines.filter((line) => line.includes("\"request\""))) {
    const { method, path, request_id, status, user_id } = JSON.parse(line) as Record<string, unknown>
    ours(JSON.stringify({ method, path, status, request_id, user_id }))
  }
  const leaked = ["hunter2", "s3cret", "token123"].filter((secret) => lines.some((line) => line.includes(secret)))
  ours(`secrets in ${lines.length} lines: ${leaked.length}`)
})

await Effect.runPromise(program.pipe(Effect.provide(server)))
