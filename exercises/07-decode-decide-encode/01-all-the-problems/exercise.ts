/**
 * 07.1 All the problems at once
 *
 * A form with nine fields, three of them wrong. The service answers 400 and says nothing. The customer corrects one field,
 * sends it again, and gets another 400. The programmer of the form prints the whole request into a log to find out, with
 * the password in it.
 *
 * Do
 * 1. `faultsOf(error)`: everything that is wrong, each with a JSON pointer and what is expected. No value that somebody sent
 *    is in it. `SchemaIssue.makeFormatterStandardSchemaV1` gives paths and messages; in a pointer `~` is written `~0` and
 *    `/` is written `~1`.
 * 2. `create(place)`: decodes the body, and hands the order over. Where it does not fit: 422 with a document of type
 *    `application/problem+json`, `{ title, status, errors }`, with the faults as `errors`, all of them. (A schema stops at
 *    the first one unless it is told `{ errors: "all" }`.)
 * 3. A body that is not JSON is another matter, nothing is at a place: 400, with `{ title, status }`.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/07-decode-decide-encode/01-all-the-problems/exercise.ts`.
 */
import { Effect, type Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { type Fault, NewOrder } from "./order.ts"

/** Everything that is wrong with a request. */
export const faultsOf = (_error: Schema.SchemaError): ReadonlyArray<Fault> => []

/** The handler of `POST /orders`; `place` stores the order and answers with its id. */
export const create = (
  place: (order: NewOrder) => Effect.Effect<string>
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest.HttpServerRequest> =>
  HttpServerRequest.schemaBodyJson(NewOrder).pipe(
    Effect.flatMap(place),
    Effect.map((id) => HttpServerResponse.jsonUnsafe({ id }, { status: 201 })),
    Effect.scoped,
    Effect.catch(() => Effect.succeed(HttpServerResponse.empty({ status: 400 })))
  )

if (import.meta.main) {
  const { dispose, handler } = HttpRouter.toWebHandler(
    HttpRouter.add("POST", "/orders", create(() => Effect.succeed("order-1"))),
    { disableLogger: true }
  )
  const body = JSON.stringify({ customer: "", email: "ada", password: "short", lines: [] })
  const response = await handler(new Request("http://orders.internal/orders", { method: "POST", body }))
  console.log(response.status, await response.text())
  await dispose()
}
