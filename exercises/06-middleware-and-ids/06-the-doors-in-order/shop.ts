/** The shop of 06.6: four routes, and an authenticator that counts how often a token is looked up. Given. */
import { Effect, Layer, Redacted } from "effect"
import { Authentication } from "effect-lifecycle/server"
import { HttpRouter, HttpServerResponse } from "effect/http"

/** What a client sees of an answer: the names of the headers are in lower case. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The problem types of the two refusals that are about how much was asked. */
export const types = {
  overloaded: "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity",
  quota: "https://iana.org/assignments/http-problem-types#quota-exceeded"
}

/** A shop whose handlers take so long. The token of Alice is `token-alice`, and so on for everybody. */
export const openShop = (millis: number) => {
  const seen = { lookups: 0, begun: new Array<string>() }

  const people = Layer.succeed(Authentication.Authenticator, {
    authenticate: (token) =>
      Effect.suspend(() => {
        seen.lookups++
        const id = /^token-(\w+)$/.exec(Redacted.value(token))?.[1]
        return id === undefined
          ? Effect.fail(new Authentication.Unauthorized({ reason: "The token is not valid", challenge: "Bearer" }))
          : Effect.succeed({ id })
      })
  })

  const answer = (name: string) =>
    Authentication.CurrentUser.use((user) =>
      Effect.sync(() => {
        seen.begun.push(`${name} of ${user.id}`)
        return HttpServerResponse.jsonUnsafe({ [name]: user.id })
      }).pipe(Effect.tap(Effect.sleep(millis)))
    )

  const routes = Layer.mergeAll(
    HttpRouter.add("GET", "/orders", answer("list")),
    HttpRouter.add("POST", "/orders", answer("order")),
    HttpRouter.add("GET", "/reports/:day", answer("report")),
    HttpRouter.add("POST", "/notices", answer("notice"))
  )

  return { people, routes, seen }
}
