// Names the version, and lets the stack name each form of it.
import { Effect } from "effect"
import { Authentication, Compression, Conditional, Exchange, Negotiation } from "effect-lifecycle/server"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { languages, Prices, types, write } from "../prices.ts"

export const routes = HttpRouter.add(
  "GET",
  "/prices",
  Effect.gen(function*() {
    const list = yield* Effect.flatMap(Prices, (prices) => prices.current)
    const { language, type } = yield* Negotiation.chosen({ type: "application/json", language: "en" })
    yield* Conditional.setVersion(list.version)
    yield* Exchange.setHeader("cache-control", "no-cache")
    yield* Exchange.setHeader("content-language", language ?? "en")
    return HttpServerResponse.text(write(type, language, list), { contentType: type })
  })
)

export const stages = {
  service: "prices",
  authentication: Authentication.stage({ exempt: ["/prices"] }),
  negotiation: Negotiation.stage({ offers: { "GET /prices": { types, languages } } }),
  compression: Compression.stage()
}
