/**
 * The rows of the errors this library raises itself. Errors of other rooms are known by their tag only.
 */
import type { Row } from "../Problems.ts"

const row = <E>(row: Row<E>): Row<E> => row

const seconds = (error: { readonly retryAfterSeconds?: number | undefined }): Readonly<Record<string, string>> => ({
  "retry-after": String(Math.max(1, Math.ceil(error.retryAfterSeconds ?? 1)))
})

const millis = (error: { readonly retryAfterMillis?: number | undefined }): Readonly<Record<string, string>> =>
  seconds({ retryAfterSeconds: (error.retryAfterMillis ?? 1000) / 1000 })

export const builtInRows = {
  MethodNotAllowed: row<{ readonly allow: string }>({
    status: 405,
    title: "Method not allowed",
    stage: "Router",
    detail: (error) => `This path answers ${error.allow}`,
    headers: (error) => ({ allow: error.allow })
  }),
  MethodUnknown: row({ status: 501, title: "Method not implemented", stage: "Router" }),
  Unauthorized: row<{ readonly challenge?: string; readonly reason?: string }>({
    status: 401,
    title: "Unauthorized",
    stage: "Security",
    detail: (error) => error.reason,
    headers: (error) => ({ "www-authenticate": error.challenge ?? "Bearer" })
  }),
  Forbidden: row({ status: 403, title: "Forbidden", stage: "Security" }),
  BodyTooLarge: row<{ readonly limitBytes?: number }>({
    status: 413,
    title: "Content too large",
    stage: "Validation",
    detail: (error) => error.limitBytes === undefined ? undefined : `At most ${error.limitBytes} bytes are accepted`,
    headers: () => ({ connection: "close" })
  }),
  UnsupportedMediaType: row<{ readonly accept: string; readonly header: string }>({
    status: 415,
    title: "Unsupported media type",
    stage: "Validation",
    detail: (error) => `Send ${error.accept}`,
    headers: (error) => ({ [error.header]: error.accept })
  }),
  DeadlineExceeded: row({ status: 504, title: "The deadline has passed", stage: "Middleware" }),
  IdempotencyKeyMissing: row<{ readonly header?: string }>({
    status: 400,
    title: "Idempotency key missing",
    stage: "Dependencies",
    detail: () => "Send an Idempotency-Key header with 1 to 255 visible characters, the same again when you repeat"
  }),
  IdempotencyKeyRunning: row<{ readonly retryAfterSeconds?: number }>({
    status: 409,
    title: "The first request with this key is still running",
    stage: "Dependencies",
    headers: seconds
  }),
  IdempotencyKeyMismatch: row({
    status: 422,
    title: "Idempotency key used for another request",
    stage: "Dependencies",
    detail: () => "This key belongs to a request with another payload: use a new key"
  }),
  PreconditionRequired: row({
    status: 428,
    title: "Precondition required",
    stage: "Dependencies",
    detail: () => "Send If-Match with the ETag of the version you read"
  }),
  PreconditionInvalid: row({
    status: 400,
    title: "Precondition not understood",
    stage: "Dependencies",
    detail: () => "If-Match takes one strong ETag of this server, such as \"3\""
  }),
  VersionMismatch: row({ status: 412, title: "The version has changed", stage: "Dependencies" }),
  ConcurrencyConflict: row({ status: 409, title: "Changed by another request at the same time", stage: "Handler" }),
  InvalidQuery: row({ status: 422, title: "Invalid query", stage: "Validation" }),
  CircuitOpen: row<{ readonly retryAfterMillis?: number }>({
    status: 503,
    title: "A service this one needs is failing",
    stage: "Handler",
    headers: millis
  }),
  BulkheadRejected: row<{ readonly retryAfterMillis?: number }>({
    status: 503,
    title: "Too many requests at once",
    stage: "Middleware",
    headers: millis
  }),
  Throttled: row({
    status: 503,
    title: "A service this one needs is overloaded",
    stage: "Handler",
    headers: () => ({ "retry-after": "1" })
  }),
  StoreUnavailable: row({
    status: 503,
    title: "Service unavailable",
    stage: "Handler",
    headers: () => ({ "retry-after": "1" })
  }),
  NotReady: row<{ readonly reason: string; readonly checks?: Readonly<Record<string, string>> }>({
    status: 503,
    title: "Not ready",
    stage: "Middleware",
    detail: (error) => error.reason,
    extensions: (error) => error.checks === undefined ? {} : { checks: error.checks },
    headers: () => ({ "retry-after": "1" })
  })
}
