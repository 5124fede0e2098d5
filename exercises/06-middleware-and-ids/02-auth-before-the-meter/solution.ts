import { Effect, Layer, Option } from "effect"
import { Authentication, ServerStage } from "effect-lifecycle/server"
import { HttpRouter } from "effect/http"
import { authenticated, listOrders, Meter, placeOrder, profile, tooMany } from "./shop.ts"

export const metered = HttpRouter.middleware(
  Effect.map(Meter, (meter) => (next) =>
    Effect.gen(function*() {
      const user = yield* Authentication.CurrentUser
      const wait = yield* meter.take(user.id)
      return Option.isSome(wait) ? tooMany(wait.value) : yield* next
    }))
)

export const door = metered.combine(authenticated)

export const app = Layer.mergeAll(listOrders, placeOrder, profile).pipe(Layer.provide(door.layer))

export const stages = {
  service: "orders",
  limitByUser: ServerStage.make<Authentication.CurrentUser, never, Meter>({
    name: "meter",
    reports: "Middleware",
    wrap: Effect.map(Meter, (meter) => (next) =>
      Effect.gen(function*() {
        const user = yield* Authentication.CurrentUser
        const wait = yield* meter.take(user.id)
        return Option.isSome(wait) ? tooMany(wait.value) : yield* next
      }))
  })
}
