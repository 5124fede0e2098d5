/** The routes of orders. Given; there is nothing to change here. */
import { Effect } from "effect"
import { type HttpMethod, HttpRouter, HttpServerResponse } from "effect/http"

/** A route as it was written down: `/orders/:id` answers any path of two parts that begins with `orders`. */
export interface Route {
  readonly method: HttpMethod.HttpMethod
  readonly path: `/${string}`
}

const answer = (text: string) => Effect.succeed(HttpServerResponse.text(text))

const all = [
  HttpRouter.route("GET", "/orders", answer("list")),
  HttpRouter.route("POST", "/orders", answer("created")),
  HttpRouter.route(
    "GET",
    "/orders/:id",
    Effect.map(HttpRouter.params, ({ id }) =>
      id === "none"
        ? HttpServerResponse.text("no such order", { status: 404 })
        : HttpServerResponse.text(`order ${id}`))
  ),
  HttpRouter.route("DELETE", "/orders/:id", answer("deleted")),
  HttpRouter.route("PUT", "/orders/:id/lines/:line", answer("changed")),
  HttpRouter.route("POST", "/payments", answer("paid"))
]

/** What there is. */
export const routes: ReadonlyArray<Route> = [
  { method: "GET", path: "/orders" },
  { method: "POST", path: "/orders" },
  { method: "GET", path: "/orders/:id" },
  { method: "DELETE", path: "/orders/:id" },
  { method: "PUT", path: "/orders/:id/lines/:line" },
  { method: "POST", path: "/payments" }
]

/** The router: it fails with `RouteNotFound` for a path that it does not know, and for a verb that it does not know there. */
export const router = HttpRouter.toHttpEffect(HttpRouter.addAll(all))
