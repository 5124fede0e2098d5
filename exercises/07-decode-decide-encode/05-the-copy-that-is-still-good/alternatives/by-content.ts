// Chooses in the handler, and names a representation by what is in it.
import { Effect, Hash } from "effect"
import { Authentication, Compression, Exchange, Negotiation } from "effect-lifecycle/server"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { languages, Prices, types, write } from "../prices.ts"

const choose = Negotiation.make({ types, languages })

export const routes = HttpRouter.add(
  "GET",
  "/prices",
  Effect.gen(function*() {
    const { headers } = yield* HttpServerRequest.HttpServerRequest
    yield* Exchange.addVary("Accept, Accept-Language")
    const choice = choose({ accept: headers["accept"], "accept-language": headers["accept-language"] })
    if (choice === undefined) return yield* new Negotiation.NotAcceptable({ offers: types })
    const { language = "en", type } = choice
    const body = write(type, language, yield* Effect.flatMap(Prices, (prices) => prices.current))
    return HttpServerResponse.text(body, {
      contentType: type,
      headers: {
        etag: `"${Hash.string(body).toString(36)}.${body.length}.${language}"`,
        "cache-control": "no-cache",
        "content-language": language
      }
    })
  })
)

export const stages = {
  service: "prices",
  authentication: Authentication.stage({ exempt: ["/prices"] }),
  compression: Compression.stage({ minimum: 0 })
}
