/**
 * 10.4 Ship the endpoint
 *
 * The shop has bought your service. `POST /orders` takes money, so it must be right, stay up, say what it did and give
 * nothing away. You have built every part of it in the last nine chapters; what is new is that they stand together.
 * `shop.ts` holds what the endpoint stands on, and cannot be changed.
 *
 * Do
 * 1. `POST /orders` with `{ book: "dune" | "emma", copies: 1..10, card: "16 digits" }`, an `Authorization: Bearer` and an
 *    `Idempotency-Key`. Charge `copies` times the price in `shop.ts`, save, answer 201 with `location: /orders/ID` and
 *    `{ id, cents }`. A body that is not right is told all its faults at once, 422. A declined card is 402. The same key
 *    again is the same answer.
 * 2. `GET /orders/:id/updates`: the story of an order as server-sent events, `id: NUMBER` and `data: TEXT` for each, from
 *    `live`. Where that breaks, `history` goes on, and no event is told twice.
 * 3. Payments may be away. An order asks at most three times, with a wait of about 100 ms and then 200 ms between, an attempt
 *    may take 1 s, and an answer that was lost must not charge twice: neither in a retry nor when the customer comes back
 *    with the same key after a 503. After five failed attempts in a row, of all orders together, payments is left alone for
 *    10 s. The caller's `X-Request-Timeout` (seconds) holds for all of it, 5 s at most; then it is 504. A 503 says
 *    `Retry-After`.
 * 4. The log goes to `sink`, one JSON line each: an access line for each request (`message: "request"`), `order placed`, and
 *    a warning for each attempt that failed, all with `request_id`. Payments is sent the id and the time that is left.
 * 5. Nobody sees the story of another customer's order, or learns that it exists. A card is in no line and no answer; a bug's
 *    message is in no answer. What was charged is saved, whoever leaves. Who leaves earlier stops the charge.
 *
 * The check runs scenarios that you do not see, in four tasks. It names the first that fails in each.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/10-incidents/04-ship-the-endpoint/exercise.ts`.
 */
import { Layer } from "effect"
import { Authentication, ServerStack } from "effect-lifecycle/server"
import { HttpRouter, type HttpServer, HttpServerResponse } from "effect/http"
import { story, type World } from "./shop.ts"

const later = HttpServerResponse.text("not yet", { status: 501 })

/** The service, on the `HttpServer` of whoever starts it. */
export const serve = (world: World): Layer.Layer<never, never, HttpServer.HttpServer> =>
  ServerStack.serve(
    Layer.mergeAll(
      HttpRouter.add("POST", "/orders", later),
      HttpRouter.add("GET", "/orders/:id/updates", later)
    ),
    { service: "orders", authentication: Authentication.stage({ exempt: ["/*"] }) }
  ).pipe(Layer.provide(world.tokens))

if (import.meta.main) {
  console.log(`the story of an order: ${story.map(({ text }) => text).join(", ")}`)
  for (const stage of ServerStack.describe({ service: "orders" })) console.log(`${stage.attachment}  ${stage.name}`)
}
