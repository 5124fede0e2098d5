// fails: c - puts the cause into the answer, because it helps with debugging
import { Cause, Data, Effect } from "effect"
import { Problems } from "effect-lifecycle/server"
import { HttpServerResponse } from "effect/http"

export class NotFound extends Data.TaggedError("NotFound")<{ readonly message: string }> {}

export class Conflict extends Data.TaggedError("Conflict")<{ readonly message: string }> {}

export class Rejected extends Data.TaggedError("Rejected")<{ readonly message: string }> {}

export class Throttled extends Data.TaggedError("Throttled")<{
  readonly message: string
  readonly waitMillis: number
}> {}

export class Open extends Data.TaggedError("Open")<{ readonly message: string; readonly waitMillis: number }> {}

export type OrderError = NotFound | Conflict | Rejected | Throttled | Open

interface Row {
  readonly status: number
  readonly title: string
}

const rows: { readonly [tag in OrderError["_tag"]]: Row } = {
  NotFound: { status: 404, title: "Order not found" },
  Conflict: { status: 409, title: "The order has changed" },
  Rejected: { status: 422, title: "The order was rejected" },
  Throttled: { status: 429, title: "Too many requests" },
  Open: { status: 503, title: "A service this one needs is failing" }
}

const retryAfter = ({ waitMillis }: { readonly waitMillis: number }): Record<string, string> => ({
  "retry-after": String(Math.max(1, Math.ceil(waitMillis / 1000)))
})

const say = (row: Row, requestId: string, headers: Record<string, string> = {}) =>
  Effect.succeed(HttpServerResponse.jsonUnsafe({ type: "about:blank", ...row, requestId }, {
    status: row.status,
    headers,
    contentType: "application/problem+json"
  }))

export const boundary = (
  handler: Effect.Effect<HttpServerResponse.HttpServerResponse, OrderError>,
  requestId: string
): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  handler.pipe(
    Effect.catch((error) => say(rows[error._tag], requestId, "waitMillis" in error ? retryAfter(error) : {})),
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.failCause(cause)
        : say({ status: 500, title: Cause.pretty(cause) }, requestId)
    )
  )

export const problems: Problems.Table = Problems.table({
  ...rows,
  Throttled: { ...rows.Throttled, headers: (error: Throttled) => retryAfter(error) },
  Open: { ...rows.Open, headers: (error: Open) => retryAfter(error) }
})
