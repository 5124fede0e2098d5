/**
 * 06.2 Auth before the meter
 *
 * Each customer may ask ten times a minute. Since yesterday somebody on the network of an office tries one token after the
 * other, and everybody who works in that office and wants to order gets 429: the meter stands outside of authentication, and
 * all it can count there is the address. At the same time one customer, whose phone changes its address with every cell,
 * asks as often as it likes.
 *
 * `shop.ts` holds the routes, the meter and `authenticated`, which hands the `CurrentUser` inwards.
 *
 * Do
 * 1. `metered` and `door`: count the user, not the address. A stranger is told 401, however often, and is not counted. A user
 *    over the limit is told 429 with `Retry-After`, on all routes together.
 * 2. `app`: all three routes stay behind the door.
 * 3. `stages`: the same in a `ServerStack`. It recognises users itself; find the slot where a stage may ask for the
 *    `CurrentUser`, and see what the compiler says when you fill another one with it.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/06-middleware-and-ids/02-auth-before-the-meter/exercise.ts`.
 */
import { Effect, Layer, Option } from "effect"
import { ServerStage } from "effect-lifecycle/server"
import { HttpRouter, HttpServerRequest } from "effect/http"
import { addressOf, authenticated, listOrders, Meter, placeOrder, profile, tokens, tooMany } from "./shop.ts"

/** Lets ten calls a minute through. */
export const metered = HttpRouter.middleware(
  Effect.map(Meter, (meter) => (next) =>
    Effect.gen(function*() {
      const request = yield* HttpServerRequest.HttpServerRequest
      const wait = yield* meter.take(addressOf(request))
      return Option.isSome(wait) ? tooMany(wait.value) : yield* next
    }))
)

/** What a request has to pass: in `a.combine(b)`, b is outermost. */
export const door = authenticated.combine(metered)

export const app = Layer.mergeAll(listOrders, placeOrder, profile).pipe(Layer.provide(door.layer))

/** The options of a `ServerStack` for the same routes. */
export const stages = {
  service: "orders",
  limitByAddress: ServerStage.make<never, never, Meter>({
    name: "meter",
    reports: "Middleware",
    wrap: Effect.map(Meter, (meter) => (next) =>
      Effect.gen(function*() {
        const request = yield* HttpServerRequest.HttpServerRequest
        const wait = yield* meter.take(addressOf(request))
        return Option.isSome(wait) ? tooMany(wait.value) : yield* next
      }))
  })
}

if (import.meta.main) {
  const { handler } = HttpRouter.toWebHandler(app.pipe(Layer.provide(Meter.layer), Layer.provide(tokens)), {
    disableLogger: true
  })
  const ask = async (token: string) => {
    const request = new Request("http://shop.test/orders", { headers: { authorization: `Bearer ${token}` } })
    return (await handler(request)).status
  }
  const guesses = []
  for (let n = 0; n < 12; n++) guesses.push(await ask(`guess-${n}`))
  console.log(`twelve guesses of a stranger: ${guesses.join(" ")}`)
  console.log(`then Alice, from the same office: ${await ask("token-a")}`)
}
