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

const hostReasons = ["missing", "malformed", "repeated", "unknown"]

export const builtInRows = {
  MethodNotAllowed: row<{ readonly allow: string }>({
    status: 405,
    title: "Method not allowed",
    stage: "Router",
    detail: (error) => `This path answers ${error.allow}`,
    headers: (error) => ({ allow: error.allow })
  }),
  UriTooLong: row<{ readonly maximum?: number }>({
    status: 414,
    title: "The address of the request is too long",
    stage: "Router",
    detail: (error) => error.maximum === undefined ? undefined : `At most ${error.maximum} characters are read`,
    headers: () => ({ connection: "close" })
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
  InsufficientScope: row<{ readonly required?: ReadonlyArray<string>; readonly missing?: ReadonlyArray<string> }>({
    status: 403,
    title: "The token is not good for this",
    stage: "Security",
    detail: (error) => error.missing === undefined ? undefined : `The token lacks ${error.missing.join(" and ")}`,
    extensions: (error) => error.missing === undefined ? {} : { missing: error.missing },
    // RFC 6750, section 3.1: all that is necessary, so that a client can ask for a token that is enough.
    headers: ({ required }) => ({
      "www-authenticate": `Bearer error="insufficient_scope"${
        required === undefined ? "" : `, scope="${required.join(" ")}"`
      }`
    })
  }),
  HostRefused: row<{ readonly reason?: string }>({
    status: 400,
    title: "The host is not one of this server's",
    stage: "Middleware",
    detail: ({ reason }) => hostReasons.find((known) => known === reason) && `The Host header is ${reason}`
  }),
  NotAcceptable: row<{ readonly offers?: ReadonlyArray<string>; readonly header?: string | undefined }>({
    status: 406,
    title: "Not acceptable",
    stage: "Validation",
    detail: ({ header, offers }) =>
      header === "Accept-Charset"
        ? "No charset of what there is will do: take UTF-8 in Accept-Charset, or leave it out"
        : offers && `There is ${offers.join(", ")}: change Accept`,
    extensions: (error) => error.offers === undefined ? {} : { offers: error.offers }
  }),
  BodyTooLarge: row<{ readonly limitBytes?: number }>({
    status: 413,
    title: "Content too large",
    stage: "Validation",
    detail: (error) => error.limitBytes === undefined ? undefined : `At most ${error.limitBytes} bytes are accepted`,
    headers: () => ({ connection: "close" })
  }),
  UnsupportedMediaType: row<{
    readonly accept: string
    readonly header: string
    readonly charset?: string | undefined
  }>({
    status: 415,
    title: "Unsupported media type",
    stage: "Validation",
    detail: ({ accept, charset }) =>
      charset === undefined ? `Send ${accept}` : `The charset of the body is not one that is read: send ${charset}`,
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
  // A command of the domain under a key that the stage of keys did not see; to the client it is the same.
  CommandIdMismatch: row({
    status: 422,
    title: "Idempotency key used for another request",
    type: "urn:problem:idempotency-key-mismatch",
    stage: "Handler",
    detail: () => "This key belongs to a request with another payload: use a new key"
  }),
  CommandInProgress: row({
    status: 409,
    title: "The first request with this key is still running",
    type: "urn:problem:idempotency-key-running",
    stage: "Handler",
    headers: () => ({ "retry-after": "1" })
  }),
  PreconditionRequired: row({
    status: 428,
    title: "Precondition required",
    stage: "Dependencies",
    detail: () => "Send If-Match with the ETag of the version you read"
  }),
  PreconditionInvalid: row<{ readonly header?: string | undefined; readonly reason?: string | undefined }>({
    status: 400,
    title: "Precondition not understood",
    stage: "Dependencies",
    detail: ({ header, reason }) =>
      reason === "several"
        ? "If-Match names several versions, and here one is compared: send the ETag of the version you read"
        : `${header ?? "If-Match"} takes ETags of this server, such as "3", with commas between them, or *`
  }),
  PreconditionFailed: row({
    status: 412,
    title: "The precondition does not hold",
    stage: "Dependencies",
    detail: () => "There is a version that If-None-Match excludes"
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
  Overloaded: row<{ readonly retryAfterMillis?: number }>({
    status: 503,
    title: "Request cannot be satisfied due to temporary server capacity constraints",
    type: "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity",
    stage: "Middleware",
    headers: millis
  }),
  QuotaExceeded: row<{ readonly policies: ReadonlyArray<string>; readonly retryAfterMillis?: number }>({
    status: 429,
    title: "Request cannot be satisfied as assigned quota has been exceeded",
    type: "https://iana.org/assignments/http-problem-types#quota-exceeded",
    stage: "Middleware",
    detail: (error) => `The quota ${error.policies.join(", ")} is used up: wait as long as Retry-After says`,
    extensions: (error) => ({ "violated-policies": error.policies }),
    // RFC 6585, section 4: a 429 must not be stored by a cache.
    headers: (error) => ({ ...millis(error), "cache-control": "no-store" })
  }),
  RateLimitsUnavailable: row({
    status: 503,
    title: "Rate limits cannot be checked",
    stage: "Middleware",
    headers: () => ({ "retry-after": "1" })
  }),
  StoryUnknown: row<{ readonly away?: ReadonlyArray<string> }>({
    status: 404,
    title: "Nothing is known of this request",
    stage: "Handler",
    detail: ({ away = [] }) => away.length === 0 ? undefined : `${away.join(" and ")} did not answer`,
    extensions: ({ away = [] }) => away.length === 0 ? {} : { away }
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
