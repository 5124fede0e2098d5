// One middleware that recognises the user and counts the call; in the stack, `Effect.flatMap` instead of a generator.
import { Effect, Layer, Option } from "effect"
import { Authentication, ServerStage } from "effect-lifecycle/server"
import { HttpRouter, HttpServerRequest } from "effect/http"
import { listOrders, Meter, placeOrder, profile, stranger, tooMany, whoAsks } from "../shop.ts"

const door = HttpRouter.middleware<{ provides: Authentication.CurrentUser }>()(
  Effect.gen(function*() {
    const authenticator = yield* Authentication.Authenticator
    const meter = yield* Meter
    return (next) =>
      Effect.gen(function*() {
        const user = yield* whoAsks(authenticator, yield* HttpServerRequest.HttpServerRequest)
        if (Option.isNone(user)) return stranger
        const wait = yield* meter.take(user.value.id)
        if (Option.isSome(wait)) return tooMany(wait.value)
        return yield* Effect.provideService(next, Authentication.CurrentUser, user.value)
      })
  })
)

export const app = Layer.mergeAll(
  listOrders.pipe(Layer.provide(door.layer)),
  placeOrder.pipe(Layer.provide(door.layer)),
  profile.pipe(Layer.provide(door.layer))
)

export const stages = {
  service: "orders",
  limitByUser: ServerStage.make<Authentication.CurrentUser, never, Meter>({
    name: "meter",
    reports: "Security",
    wrap: Effect.map(
      Meter,
      (meter) => (next) =>
        Authentication.CurrentUser.use((user) =>
          Effect.flatMap(
            meter.take(user.id),
            Option.match({
              onNone: () => next,
              onSome: (seconds) => Effect.succeed(tooMany(seconds))
            })
          )
        )
    )
  })
}
