/** The shop of 06.3: what a request can come to. `/orders/1` says by which id the handler knows the request. */
import { Effect, Layer, Option } from "effect"
import { RequestId } from "effect-lifecycle/request"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"

export const routes = Layer.mergeAll(
  HttpRouter.add(
    "GET",
    "/orders/:id",
    Effect.gen(function*() {
      yield* Effect.yieldNow
      const id = yield* RequestId.Current
      return HttpServerResponse.text(Option.getOrElse(id, () => "a request without an id"))
    })
  ),
  HttpRouter.add("GET", "/broken", Effect.die("the database is away")),
  HttpRouter.add("GET", "/refused", Effect.fail("the card was refused"))
)

/** The router, and before it a middleware that refuses what it does not like, without asking anybody. */
export const shop = Effect.map(
  HttpRouter.toHttpEffect(routes),
  (router) =>
    HttpServerRequest.HttpServerRequest.use((request) =>
      request.headers["x-blocked"] === undefined
        ? router
        : Effect.succeed(HttpServerResponse.text("not today", { status: 503 }))
    )
)
