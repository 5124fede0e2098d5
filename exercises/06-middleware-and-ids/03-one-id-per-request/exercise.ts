/**
 * 06.3 One id per request
 *
 * "It did not work" is what a customer can tell you. With an id on every answer it is "it did not work, 01a2-77", and that is
 * one line to look for. The id is worth most where something went wrong, so it has to be on the answers that no handler
 * made: on the 404 of the router, the 500 of a bug, the refusal of a middleware.
 *
 * Do
 * 1. `idFrom(value)`: the id that a header brings: 1 to 128 of the characters `A-Z a-z 0-9 . _ -`. Whatever else comes from
 *    outside must not get into a log or a header.
 * 2. `requestIds(app)`: take the id of the header `x-request-id`, or make one; let everything inside find it as
 *    `RequestId.Current`; put it on whatever is sent, as `x-request-id`.
 * 3. `stages`: the same with `RequestIds.stage` in a `ServerStack`. Here the machine at `edge` hands ids in by `x-edge-id`, and
 *    nobody else is believed. The answer's header is `x-request-id`.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/06-middleware-and-ids/03-one-id-per-request/exercise.ts`.
 */
import { Effect, Option } from "effect"
import type { RequestId } from "effect-lifecycle/request"
import { Authentication, RequestIds } from "effect-lifecycle/server"
import { HttpEffect, type HttpServerRequest, type HttpServerResponse } from "effect/http"
import { shop } from "./shop.ts"

export const header = "x-request-id"

/** The only machine that is believed. */
export const edge = "192.0.2.1"

/** The id that a header brings, or none. */
export const idFrom = (_value: string | undefined): Option.Option<RequestId.RequestId> => Option.none()

/** Gives every request its id. `HttpEffect.withPreResponseHandler` sees every answer just before it leaves. */
export const requestIds = <E, R>(
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest.HttpServerRequest> => app

/** The options of a `ServerStack`. Nobody has to sign in here. */
export const stages = {
  service: "orders",
  authentication: Authentication.stage({ exempt: ["/*"] }),
  requestIds: RequestIds.stage({ trust: "all", responseHeader: "x-edge-id" })
}

if (import.meta.main) {
  const program = Effect.gen(function*() {
    const handler = HttpEffect.toWebHandler(requestIds(yield* shop))
    for (const path of ["/orders/1", "/nowhere", "/broken"]) {
      const request = new Request(`http://shop.test${path}`, { headers: { [header]: "order-42" } })
      const response = yield* Effect.promise(() => handler(request))
      console.log(`${path}: ${response.status}, ${header} is ${response.headers.get(header) ?? "not there"}`)
    }
  })
  await Effect.runPromise(Effect.scoped(program))
}
