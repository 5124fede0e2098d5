/** The order of the stages is fixed by types, so that a security property does not hang on the order of two lines. */
import { Effect } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { Authentication, ServerStack, ServerStage } from "effect-lifecycle/server"
import { ours, source } from "./support/say.ts"
import { ask, serve } from "./support/serve.ts"

/** Counts requests of a user: it needs the user, so its type keeps it behind authentication. */
const limitByUser = ServerStage.make<Authentication.CurrentUser>({
  name: "limit by user",
  reports: "Security",
  wrap: (next) =>
    Effect.gen(function*() {
      const user = yield* Authentication.CurrentUser
      ours(`the limit counts a request of ${user.id}`)
      return yield* next
    })
})

/** Counts requests of an address: all that is known before authentication. */
const limitByAddress = ServerStage.make({
  name: "limit by address",
  reports: "Middleware",
  wrap: (next) => Effect.andThen(Effect.sync(() => ours("the limit counts a request of an address")), next)
})

const routes = HttpRouter.add("GET", "/orders", HttpServerResponse.text("[]"))
const options = { service: "orders", limitByAddress, limitByUser }

const program = Effect.gen(function*() {
  source("app.add_middleware: added last is outermost; CORS, Logging, Auth, Handler, and back in reverse")
  ours(ServerStack.describe(options).map((stage) => stage.name.replace("server/", "")).join(", "))

  source("a rate limit that is added after authentication runs before it, and anonymous requests use up the limit")
  const stranger = yield* ask("/orders", { headers: { authorization: "Bearer guess" } })
  ours(`a stranger gets ${stranger.status}`)
  const alice = yield* ask("/orders")
  ours(`Alice gets ${alice.status}`)

  source("a middleware that reads request.state.user_id before authentication fails with AttributeError at run time")
  // `support/middleware-order.types.ts` is the proof.
  ours("the same two stages in each other's slot do not compile")
})

await Effect.runPromise(program.pipe(Effect.provide(serve(routes, options))))
