/** The request id is on every answer, above all on the 500 that somebody will ask about. */
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { ours, source } from "./support/say.ts"
import { ask, serve } from "./support/serve.ts"

const routes = Layer.mergeAll(
  HttpRouter.add("GET", "/fine", HttpServerResponse.text("fine")),
  HttpRouter.add("GET", "/bug", Effect.die(new Error("the password is 1234")))
)

const program = Effect.gen(function*() {
  source("response.headers[\"X-Request-ID\"] = request_id, after call_next: a 500 never gets there, and has none")
  for (const path of ["/fine", "/nowhere", "/bug"]) {
    const { body, headers, status } = yield* ask(path, { headers: { "x-request-id": "abc-123" } })
    const secret = body.includes("1234") ? "with the exception's text" : "without a word of the exception"
    ours(`${path} ${status}, X-Request-ID: ${headers.get("x-request-id")}, ${secret}`)
  }
})

await Effect.runPromise(program.pipe(Effect.provide(serve(routes, { service: "users" }))))
