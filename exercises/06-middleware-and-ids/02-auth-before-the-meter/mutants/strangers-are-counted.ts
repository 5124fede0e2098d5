// fails: b - counts strangers together under one name, and tells them 429 when they are too many
import { Effect, Layer, Option } from "effect"
import { Authentication } from "effect-lifecycle/server"
import { HttpRouter, HttpServerRequest } from "effect/http"
import { listOrders, Meter, placeOrder, profile, stranger, tooMany, whoAsks } from "../shop.ts"

export * from "../solution.ts"

const door = HttpRouter.middleware<{ provides: Authentication.CurrentUser }>()(
  Effect.gen(function*() {
    const authenticator = yield* Authentication.Authenticator
    const meter = yield* Meter
    return (next) =>
      Effect.gen(function*() {
        const user = yield* whoAsks(authenticator, yield* HttpServerRequest.HttpServerRequest)
        const wait = yield* meter.take(Option.isNone(user) ? "anonymous" : user.value.id)
        if (Option.isSome(wait)) return tooMany(wait.value)
        if (Option.isNone(user)) return stranger
        return yield* Effect.provideService(next, Authentication.CurrentUser, user.value)
      })
  })
)

export const app = Layer.mergeAll(listOrders, placeOrder, profile).pipe(Layer.provide(door.layer))
