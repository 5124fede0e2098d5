/**
 * 06.6 The doors in order (stretch)
 *
 * Friday, twice the customers of any other day. The shop has doors, and whoever composed them put each where it
 * compiled. `Admission` stands behind authentication, so everybody who is turned away has had a token looked up, which
 * is what the shop was busy with. The only limit counts addresses where users were meant: an office of thirty has ten
 * calls a minute, and somebody who tries out tokens is not counted at all. And the client repeats every refusal at
 * once, whatever it said.
 *
 * `shop.ts` holds the routes and the people. `ServerStack` has a slot for each door, and keeps them in order.
 *
 * Do
 * 1. `doors`, a full house. The shop works on 4 requests at once; 4 more wait, nobody longer than 2 seconds.
 *    `POST /orders` is `high`, `GET /reports/:day` is `low`, all else is as it comes. `POST /notices` is the payment
 *    company: it never waits, and is never turned away. Whoever is has cost nothing: no token was looked up, and no
 *    call of theirs is used up.
 * 2. `doors`, a limit by address, named "address": 60 calls a minute, before a token is looked up. The gateway (a
 *    private address) writes the client's address at the end of `X-Forwarded-For`; what stands before that, anybody
 *    may have written.
 * 3. `doors`, a limit by user, named "user": 10 calls a minute, wherever the user is. A report counts as 5 calls, a
 *    notice is not counted. Used calls come back evenly, one every six seconds.
 * 4. `refusalOf(answer)`: which door has refused, and after how many seconds it makes sense to come back; `undefined`
 *    where none of the doors has. A handler may say 429 or 503 as well: that is no door. `types` in `shop.ts` has the
 *    problem types of the doors, the "violated-policies" of a problem name the limit, and all of them say
 *    `Retry-After`.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/06-middleware-and-ids/06-the-doors-in-order/exercise.ts`.
 */
import { Effect, Layer } from "effect"
import { Admission, RateLimits, ServerStack } from "effect-lifecycle/server"
import { HttpServer } from "effect/http"
import { type Answer, openShop } from "./shop.ts"

/** The options of the shop's `ServerStack`. */
export const doors = {
  service: "shop",
  limitByUser: RateLimits.byAddress({ policies: [{ name: "calls", limit: 10, window: "1 minute" }] }),
  conditional: Admission.stage({ permits: 4, queue: 1000 })
}

export interface Refusal {
  readonly door: "admission" | "address" | "user"
  readonly waitSeconds: number
}

/** Which door has refused, and when to come back. */
export const refusalOf = (answer: Answer): Refusal | undefined =>
  answer.status >= 400 ? { door: "admission", waitSeconds: 0 } : undefined

if (import.meta.main) {
  const NodeListener = await import("effect-lifecycle/server/NodeListener")
  const shop = openShop(300)
  const server = ServerStack.serve(shop.routes, doors).pipe(
    Layer.provide([shop.people, RateLimits.layerMemory()]),
    Layer.provideMerge(NodeListener.layer({ port: 0, host: "127.0.0.1" }))
  )
  const program = Effect.gen(function*() {
    const url = HttpServer.formatAddress((yield* HttpServer.HttpServer).address)
    const ask = (what: string, token: string, address: string) =>
      Effect.promise(async () => {
        const [method = "", path = ""] = what.split(" ")
        const headers = { authorization: `Bearer ${token}`, "x-forwarded-for": address }
        const response = await fetch(url + path, { method, headers })
        const answer = {
          status: response.status,
          headers: Object.fromEntries(response.headers),
          body: await response.text()
        }
        const told = refusalOf(answer)
        console.log(`${what} with ${token}: ${answer.status}`, told === undefined ? "" : told)
      })
    const rush = Array.from({ length: 8 }, (_, n) => ask("GET /reports/today", `token-u${n}`, `198.51.100.${n}`))
    yield* Effect.all([...rush, Effect.delay(ask("POST /orders", "token-alice", "198.51.100.9"), "50 millis")], {
      concurrency: "unbounded"
    })
    for (let n = 0; n < 12; n++) yield* ask("GET /orders", `guess-${n}`, `203.0.113.${n}, 198.51.100.66`)
    console.log(`tokens looked up: ${shop.seen.lookups}`)
  })
  await Effect.runPromise(Effect.provide(program, server))
}
