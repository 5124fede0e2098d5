/** The shop of 06.2: three routes that need the user, a meter, and the middleware that recognises users. */
import { Clock, Context, Effect, Layer, Option, Redacted } from "effect"
import { Authentication } from "effect-lifecycle/server"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"

/** So many calls a minute are free for each key. */
export const quota = 10

/** Counts calls by key. `take` gives the seconds until the next free call, where there is none now. */
export class Meter extends Context.Service<Meter, {
  readonly take: (key: string) => Effect.Effect<Option.Option<number>>
}>()("shop/Meter") {
  static readonly layer = Layer.sync(Meter, () => {
    const windows = new Map<string, { readonly until: number; calls: number }>()
    return Meter.of({
      take: (key) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          const known = windows.get(key)
          const window = known !== undefined && now < known.until ? known : { until: now + 60_000, calls: 0 }
          windows.set(key, window)
          window.calls++
          return window.calls <= quota ? Option.none() : Option.some(Math.ceil((window.until - now) / 1000))
        })
    })
  })
}

/** Alice and Bob, and their tokens. */
export const tokens = Authentication.layerTokens(Redacted.make("token-a:alice,token-b:bob"))

/** Every run of a handler, with who asked. */
export const handled: Array<string> = []

const answer = (name: string) =>
  Authentication.CurrentUser.use((user) =>
    Effect.sync(() => {
      handled.push(`${name} for ${user.id}`)
      return HttpServerResponse.jsonUnsafe({ [name]: user.id })
    })
  )

export const listOrders = HttpRouter.add("GET", "/orders", answer("orders"))
export const placeOrder = HttpRouter.add("POST", "/orders", answer("order"))
export const profile = HttpRouter.add("GET", "/me", answer("profile"))

/** Where a request comes from. All of an office, or all customers of a phone company, may come from one address. */
export const addressOf = (request: HttpServerRequest.HttpServerRequest): string =>
  Option.getOrElse(request.remoteAddress, () => "unknown")

export const tooMany = (seconds: number) =>
  HttpServerResponse.text("too many calls", { status: 429, headers: { "retry-after": String(seconds) } })

export const stranger = HttpServerResponse.text("who are you?", {
  status: 401,
  headers: { "www-authenticate": "Bearer" }
})

/** Who sends the token of this request; none where nobody knows it. */
export const whoAsks = (
  authenticator: Authentication.Authenticator["Service"],
  request: HttpServerRequest.HttpServerRequest
): Effect.Effect<Option.Option<Authentication.Principal>> =>
  Effect.option(
    authenticator.authenticate(Redacted.make((request.headers["authorization"] ?? "").replace(/^bearer /i, "")))
  )

/** Recognises the user, and hands the `CurrentUser` inwards; a stranger is told 401. */
export const authenticated = HttpRouter.middleware<{ provides: Authentication.CurrentUser }>()(
  Effect.map(Authentication.Authenticator, (authenticator) => (next) =>
    Effect.gen(function*() {
      const user = yield* whoAsks(authenticator, yield* HttpServerRequest.HttpServerRequest)
      return Option.isNone(user)
        ? stranger
        : yield* Effect.provideService(next, Authentication.CurrentUser, user.value)
    }))
)
