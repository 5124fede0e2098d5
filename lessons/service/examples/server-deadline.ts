/** The server takes over what is left of its caller's time, and gives up when it is spent. */
import { Clock, Duration, Effect, Layer, Option } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { Deadline, Priority, Propagation } from "effect-lifecycle/request"
import { Deadlines } from "effect-lifecycle/server"
import { ask, serve } from "./support/serve.ts"
import { ours, source } from "./support/say.ts"

const seconds = (left: Option.Option<Duration.Duration>) =>
  Option.match(left, {
    onNone: () => "no deadline",
    onSome: (left) => `at most ${Math.ceil(Duration.toSeconds(left))} s`
  })

const routes = Layer.mergeAll(
  HttpRouter.add(
    "GET",
    "/thing",
    Effect.gen(function*() {
      const next = yield* Propagation.inject()
      const left = seconds(yield* Deadline.remaining)
      return HttpServerResponse.text(`${left}, ${yield* Priority.Current}; sent on: ${next["x-request-priority"]}`)
    })
  ),
  HttpRouter.add(
    "GET",
    "/slow",
    Effect.gen(function*() {
      const began = yield* Clock.currentTimeMillis
      return yield* Effect.as(Effect.sleep("30 seconds"), HttpServerResponse.text("too late")).pipe(
        Effect.onInterrupt(() =>
          Effect.map(
            Clock.currentTimeMillis,
            (now) => ours(`the handler is stopped ${now - began < 1000 ? "in time" : "late"}`)
          )
        )
      )
    })
  )
)

const program = Effect.gen(function*() {
  const get = (path: string, headers: Record<string, string> = {}) =>
    Effect.map(
      ask(path, { headers: { authorization: "Bearer token123", ...headers } }),
      ({ body, status }) => status === 200 ? `200 ${body}` : `${status} ${JSON.parse(body).title}`
    )

  source("X-Request-Timeout and X-Request-Priority are read; what is left goes on, and the priority becomes normal")
  ours(yield* get("/thing", { "x-request-timeout": "1.5", "x-request-priority": "low" }))

  source("without the header 20 s; inf has no end; -1 is an unhandled ValueError")
  ours(yield* get("/thing"))
  ours(yield* get("/thing", { "x-request-timeout": "inf" }))
  ours(yield* get("/thing", { "x-request-timeout": "-1" }))

  source("when time is up the answer is 408, and the handler works on unless cancel_on_timeout is set")
  ours(yield* get("/slow", { "x-request-timeout": "0.1" }))

  source("with 5 ms or less left the answer is 408 at once")
  ours(yield* get("/thing", { "x-request-timeout": "0.001" }))
})

const live = serve(routes, { service: "things", deadlines: Deadlines.stage({ default: "20 seconds" }) })

await Effect.runPromise(program.pipe(Effect.provide(live)))
