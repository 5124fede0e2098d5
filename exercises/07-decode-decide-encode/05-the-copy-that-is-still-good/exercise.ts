/**
 * 07.5 The copy that is still good (stretch)
 *
 * The price list is asked for a thousand times a minute, and changes twice a day. It comes as JSON, CSV or HTML, in
 * English or German. A cache was put in front of it, and the answers allow it to keep them for ten minutes. Since then
 * a spreadsheet in Vienna has opened with the JSON of somebody in Dublin, and after each change all of them see old
 * prices. Nothing is wrong with the cache: read in `cache.ts` what it believes. The answers do not tell it what they
 * are.
 *
 * `prices.ts` has the list, its version and `write`, which makes a form in a language.
 *
 * Do
 * 1. Everybody gets the form and the language they ask for, by the weights of `Accept` and `Accept-Language`; who
 *    takes none of the forms gets a 406 that lists them. The answer has the `Content-Type` and the `Content-Language`
 *    of what it is. There is a stage for this: `Negotiation`, in the slot `negotiation`. In the handler,
 *    `Negotiation.chosen` gives its choice.
 * 2. A copy may be kept by anybody, and whoever has one asks each time whether it is still good: `Cache-Control:
 *    no-cache` and an `ETag` that changes with the version. Who sends a good one in `If-None-Match` gets 304 and no
 *    body, to GET as to HEAD. The stack compares by itself; `Exchange.setHeader` puts a header on the answer.
 * 3. Two answers with different bodies are two representations, and have different strong ETags: the cache takes those
 *    with the same for the same. `Vary` names all the headers that the choice depends on.
 * 4. Who can unpack gets it packed (`Compression`, in the slot `compression`); a packed form is one more
 *    representation.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/07-decode-decide-encode/05-the-copy-that-is-still-good/exercise.ts`.
 */
import { Effect, Layer } from "effect"
import { Authentication, ServerStack } from "effect-lifecycle/server"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Cache from "./cache.ts"
import { Prices, write } from "./prices.ts"

export const routes = HttpRouter.add(
  "GET",
  "/prices",
  Effect.gen(function*() {
    const { headers } = yield* HttpServerRequest.HttpServerRequest
    const list = yield* Effect.flatMap(Prices, (prices) => prices.current)
    const type = headers["accept"]?.includes("csv") ? "text/csv" : "application/json"
    return HttpServerResponse.text(write(type, headers["accept-language"], list), {
      contentType: type,
      headers: { "cache-control": "max-age=600" }
    })
  })
)

/** The options of a `ServerStack`. Anybody may read prices. */
export const stages = {
  service: "prices",
  authentication: Authentication.stage({ exempt: ["/prices"] })
}

if (import.meta.main) {
  const NodeListener = await import("effect-lifecycle/server/NodeListener")
  const nobody = Layer.succeed(Authentication.Authenticator, { authenticate: () => Effect.die("nobody signs in") })
  const server = ServerStack.serve(routes, stages).pipe(
    Layer.provideMerge(Layer.mergeAll(Prices.layer, NodeListener.layer({ port: 0, host: "127.0.0.1" }))),
    Layer.provide(nobody)
  )
  const program = Effect.gen(function*() {
    const url = HttpServer.formatAddress((yield* HttpServer.HttpServer).address)
    const prices = yield* Prices
    const throughCache = Cache.make((path, headers) =>
      Effect.promise(async () => {
        const response = await fetch(url + path, { headers })
        const bytes = new Uint8Array(await response.arrayBuffer())
        return { status: response.status, headers: Object.fromEntries(response.headers), bytes }
      })
    )
    const ask = (who: string, accept: string, language: string) =>
      Effect.gen(function*() {
        const headers = { accept, "accept-language": language, "accept-encoding": "identity" }
        const { bytes, headers: { etag }, status } = yield* throughCache("/prices", headers)
        const text = new TextDecoder().decode(bytes)
        console.log(`${who}: ${status}, ${etag ?? "no ETag"}, ${text.slice(0, 40).replaceAll("\n", " ")}...`)
      })
    yield* ask("Dublin, JSON  ", "application/json", "en")
    yield* ask("Vienna, CSV   ", "text/csv, */*;q=0.1", "de-AT, en;q=0.5")
    yield* ask("Dublin, CSV   ", "text/csv", "en")
    yield* ask("Berlin, HTML  ", "text/html, text/*;q=0.5", "de")
    yield* ask("Paris, a video", "video/mp4", "fr")
    yield* prices.change("book-1", 100)
    yield* ask("Dublin, changed", "application/json", "en")
  })
  await Effect.runPromise(Effect.provide(program, server))
}
