// fails: d - runs the handler as nobody, and looks at the token when there is an answer to hold back
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
        const wait = Option.isSome(user) ? yield* meter.take(user.value.id) : Option.none()
        if (Option.isSome(wait)) return tooMany(wait.value)
        const answer = yield* Effect.provideService(
          next,
          Authentication.CurrentUser,
          Option.getOrElse(user, () => Authentication.anonymous)
        )
        return Option.isSome(user) ? answer : stranger
      })
  })
)

export const app = Layer.mergeAll(listOrders, placeOrder, profile).pipe(Layer.provide(door.layer))
