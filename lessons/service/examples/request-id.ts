/** A request id comes in once, is checked, and goes out with every call, without a word in the handler. */
import { Effect, Option } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import { Propagation, RequestId } from "effect-lifecycle/request"
import { ours, source } from "./support/say.ts"

/** Stands for the service behind ours, and says which id it was sent. */
const downstream = HttpClient.make((request) =>
  Effect.sync(() => {
    ours(`the next service receives X-Request-ID: ${request.headers["x-request-id"]}`)
    return HttpClientResponse.fromWeb(request, new Response("{}"))
  })
)
const client = Propagation.httpClient(downstream, { serviceName: "orders" })

/** A handler that knows nothing of ids. */
const handler = client.post("https://payments.internal/payments")

const receive = (headers: Readonly<Record<string, string>>, trusted: boolean) =>
  Effect.flatMap(Propagation.extract(headers, { trusted }), (extracted) => Propagation.run(handler, extracted))

const program = Effect.gen(function*() {
  source("request.headers.get(\"X-Request-ID\") or X-Kong-Request-ID or uuid4(); every call passes the id on by hand")
  yield* receive({ "x-kong-request-id": "abc-123" }, true)

  source("an id of any length and with any characters is taken over, from anybody")
  const forged = { "x-request-id": "abc-123\nERROR all is lost" }
  ours(
    `with a line break: ${Option.isSome(RequestId.fromHeaders(forged, { trusted: true })) ? "taken over" : "ignored"}`
  )
  const stranger = yield* Propagation.extract({ "x-request-id": "abc-123" }, { trusted: false })
  ours(`from a stranger: ${stranger.requestId === "abc-123" ? "taken over" : "replaced by a new one"}`)
})

await Effect.runPromise(program)
