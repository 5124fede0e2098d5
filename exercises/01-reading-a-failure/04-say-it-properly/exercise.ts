/**
 * 01.4 Say it properly
 *
 * The handlers of `orders` fail with five errors. Around them stands `boundary`, which was written on the first day: it
 * answers 500 to everything, with the error's message in it. Since then a customer has read the password of the database in
 * a browser, and an alarm goes off at night because somebody asked for an order that does not exist.
 *
 * The messages of these errors are for the operator. They may hold anything.
 *
 * Do
 * 1. `boundary`: `NotFound` is 404, `Conflict` 409, `Rejected` 422, `Throttled` 429, `Open` 503. The body is a problem
 *    document (`application/problem+json`) with at least `title`, `status` and `requestId`. Nothing of a message is in it.
 * 2. `Throttled` and `Open` know how long it takes. Say so in `Retry-After`: whole seconds, not too few, and at least 1.
 * 3. A defect is a 500: also a problem document with the id, and with nothing else about it. An interruption is nobody's
 *    error: leave it as it is, the server knows what to do with it.
 * 4. `problems`: the same five rows as a `Problems.table`. The library's boundary does the rest, and adds the id by itself.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/01-reading-a-failure/04-say-it-properly/exercise.ts`.
 */
import { Cause, Data, Effect } from "effect"
import { Problems } from "effect-lifecycle/server"
import { HttpServerResponse } from "effect/http"

/** There is no such order. */
export class NotFound extends Data.TaggedError("NotFound")<{ readonly message: string }> {}

/** Somebody else has changed the order. */
export class Conflict extends Data.TaggedError("Conflict")<{ readonly message: string }> {}

/** The order breaks a rule of the shop. */
export class Rejected extends Data.TaggedError("Rejected")<{ readonly message: string }> {}

/** This customer asks too often. */
export class Throttled extends Data.TaggedError("Throttled")<{
  readonly message: string
  readonly waitMillis: number
}> {}

/** `payments` is failing, and is not called for a while. */
export class Open extends Data.TaggedError("Open")<{ readonly message: string; readonly waitMillis: number }> {}

export type OrderError = NotFound | Conflict | Rejected | Throttled | Open

/** Stands around every handler. */
export const boundary = (
  handler: Effect.Effect<HttpServerResponse.HttpServerResponse, OrderError>,
  _requestId: string
): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.catchCause(
    handler,
    (cause) => Effect.succeed(HttpServerResponse.text(Cause.pretty(cause), { status: 500 }))
  )

/** The same for the library's server. */
export const problems: Problems.Table = Problems.table({})

if (import.meta.main) {
  const message = "no row (postgres://orders:hunter2@db.internal/orders)"
  const errors = [
    new NotFound({ message }),
    new Conflict({ message }),
    new Rejected({ message }),
    new Throttled({ message, waitMillis: 1500 }),
    new Open({ message, waitMillis: 20_000 })
  ]
  for (const error of errors) {
    const response = await Effect.runPromise(boundary(Effect.fail(error), "f4a2b3c1"))
    const web = HttpServerResponse.toWeb(response)
    const body = (await web.text()).split("\n")[0]
    console.log(`${error._tag.padEnd(10)} ${web.status} ${web.headers.get("retry-after") ?? "-"}  ${body}`)
  }
}
