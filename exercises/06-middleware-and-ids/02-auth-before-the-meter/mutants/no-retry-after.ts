// fails: c - says 429, but not when to come back
import { Effect, Layer, Option } from "effect"
import { Authentication } from "effect-lifecycle/server"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { authenticated, listOrders, Meter, placeOrder, profile } from "../shop.ts"

export * from "../solution.ts"

const metered = HttpRouter.middleware(
  Effect.map(Meter, (meter) => (next) =>
    Effect.gen(function*() {
      const user = yield* Authentication.CurrentUser
      const wait = yield* meter.take(user.id)
      return Option.isSome(wait) ? HttpServerResponse.empty({ status: 429 }) : yield* next
    }))
)

export const app = Layer.mergeAll(listOrders, placeOrder, profile).pipe(
  Layer.provide(metered.combine(authenticated).layer)
)
