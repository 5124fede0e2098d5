/**
 * Why the gateway itself turns a request away, without asking an upstream.
 *
 * Each is an error that knows nothing of HTTP; {@link table} says what the client is told. What upstreams do wrong is in
 * `UpstreamPool` and `LoadBalancer`, and has its rows here too, because the gateway answers for it: 502 where no upstream
 * gave a usable answer, 504 where it was too slow, 503 only for what the gateway itself cannot take on.
 *
 * **Gotchas**
 *
 * - The stage of a failed upstream is `Proxy` where one target was tried, and `Balancer` where several were.
 *
 * @example
 * ```ts
 * import { Refusals } from "effect-lifecycle/gateway"
 * import assert from "node:assert/strict"
 *
 * const full = new Refusals.GatewayOverloaded({ reason: "concurrency", retryAfterMillis: 1200 })
 * const problem = Refusals.table.describe(full)
 * assert.equal(problem?.status, 503)
 * assert.equal(problem?.headers["retry-after"], "2")
 * ```
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import * as Problems from "../server/Problems.ts"

/**
 * Two servers could read this request differently, so none is asked.
 *
 * @category errors
 * @since 0.1.0
 */
export class AmbiguousRequest extends Schema.TaggedError<AmbiguousRequest>()("AmbiguousRequest", {
  reason: Schema.String
}) {
  override get message(): string {
    return `The request can be read in two ways: ${this.reason}`
  }
}

/**
 * No route of the configuration is for this host and path.
 *
 * @category errors
 * @since 0.1.0
 */
export class NoRoute extends Schema.TaggedError<NoRoute>()("NoRoute", {}) {
  override get message(): string {
    return "No route is for this host and path: look at `routes` in the configuration"
  }
}

/**
 * A method that is not passed on: `TRACE` shows what hops add, `CONNECT` would make the gateway an open relay.
 *
 * @category errors
 * @since 0.1.0
 */
export class MethodRefused extends Schema.TaggedError<MethodRefused>()("MethodRefused", { method: Schema.String }) {
  override get message(): string {
    return `${this.method} is not passed on`
  }
}

/**
 * A version of HTTP that this connection does not speak.
 *
 * @category errors
 * @since 0.1.0
 */
export class VersionRefused extends Schema.TaggedError<VersionRefused>()("VersionRefused", { version: Schema.String }) {
  override get message(): string {
    return `HTTP/${this.version} is not spoken on this connection`
  }
}

/**
 * The client stopped sending its body.
 *
 * @category errors
 * @since 0.1.0
 */
export class RequestStalled extends Schema.TaggedError<RequestStalled>()("RequestStalled", {
  timeoutMillis: Schema.Finite
}) {
  override get message(): string {
    return `Nothing of the request's body came for ${this.timeoutMillis} ms`
  }
}

/**
 * The body is larger than the route allows, as declared or as counted while it was read.
 *
 * @category errors
 * @since 0.1.0
 */
export class RequestTooLarge extends Schema.TaggedError<RequestTooLarge>()("RequestTooLarge", {
  limitBytes: Schema.Int
}) {
  override get message(): string {
    return `The request's body is larger than ${this.limitBytes} bytes: raise \`limits.bodyBytes\` of the route if that is meant`
  }
}

/**
 * An address has sent more requests than it may.
 *
 * @category errors
 * @since 0.1.0
 */
export class AddressLimited extends Schema.TaggedError<AddressLimited>()("AddressLimited", {
  limit: Schema.Int,
  windowSeconds: Schema.Finite,
  retryAfterMillis: Schema.Finite
}) {
  override get message(): string {
    return `More than ${this.limit} requests in ${this.windowSeconds} s from one address`
  }
}

/**
 * The gateway itself has no room, or is about to end.
 *
 * @category errors
 * @since 0.1.0
 */
export class GatewayOverloaded extends Schema.TaggedError<GatewayOverloaded>()("GatewayOverloaded", {
  reason: Schema.Literals(["concurrency", "buffer", "draining"]),
  retryAfterMillis: Schema.Finite
}) {
  override get message(): string {
    return `The gateway takes no more requests at the moment (${this.reason})`
  }
}

/**
 * The request has come through this gateway too often.
 *
 * @category errors
 * @since 0.1.0
 */
export class LoopDetected extends Schema.TaggedError<LoopDetected>()("LoopDetected", { passages: Schema.Int }) {
  override get message(): string {
    return `The request has come by ${this.passages} times: an upstream leads back to this gateway`
  }
}

interface Waits {
  readonly retryAfterMillis: number
}

const retryAfter = ({ retryAfterMillis }: Waits): Readonly<Record<string, string>> => ({
  "retry-after": String(Number.isFinite(retryAfterMillis) ? Math.max(1, Math.ceil(retryAfterMillis / 1000)) : 1)
})

/**
 * The methods that are passed on, for `Allow`.
 *
 * @category constants
 * @since 0.1.0
 */
export const allow = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

/**
 * What the client is told about each.
 *
 * @category constants
 * @since 0.1.0
 */
export const table = Problems.table({
  AmbiguousRequest: {
    status: 400,
    title: "The request is ambiguous",
    stage: "Proxy",
    detail: (error: AmbiguousRequest) => error.reason
  },
  MalformedRequest: { status: 400, title: "The request could not be read", stage: "Proxy" },
  NoRoute: { status: 404, title: "Nothing is behind this host and path", stage: "Proxy" },
  MethodRefused: { status: 405, title: "This method is not passed on", stage: "Proxy", headers: () => ({ allow }) },
  RequestStalled: { status: 408, title: "The request was not received in time", stage: "Proxy" },
  RequestTooLarge: {
    status: 413,
    title: "The request body is too large",
    stage: "Proxy",
    detail: (error: RequestTooLarge) => `The body may have ${error.limitBytes} bytes`
  },
  UriTooLong: { status: 414, title: "The target of the request is too long", stage: "Proxy" },
  ExpectationRefused: { status: 417, title: "This expectation is not known", stage: "Proxy" },
  AddressLimited: {
    status: 429,
    title: "Too many requests from this address",
    stage: "Proxy",
    type: "https://iana.org/assignments/http-problem-types#quota-exceeded",
    headers: (error: AddressLimited) => ({
      ...retryAfter(error),
      "ratelimit-policy": `"address";q=${error.limit};w=${Math.max(1, Math.ceil(error.windowSeconds))}`,
      ratelimit: `"address";r=0;t=${retryAfter(error)["retry-after"]}`
    })
  },
  HeadersTooLarge: { status: 431, title: "Request header fields too large", stage: "Proxy" },
  NoHealthyUpstream: { status: 502, title: "No upstream is available", stage: "Balancer" },
  CircuitOpen: { status: 502, title: "No upstream is available", stage: "Balancer" },
  UpstreamFailed: { status: 502, title: "The upstream gave no answer", stage: "Proxy" },
  GatewayOverloaded: { status: 503, title: "The gateway is overloaded", stage: "Proxy", headers: retryAfter },
  BulkheadRejected: { status: 503, title: "The gateway is overloaded", stage: "Proxy", headers: retryAfter },
  UpstreamTimeout: { status: 504, title: "The upstream did not answer in time", stage: "Proxy" },
  DeadlineExceeded: { status: 504, title: "The deadline of the request has passed", stage: "Proxy" },
  MethodUnknown: { status: 501, title: "This method is not known", stage: "Proxy" },
  VersionRefused: { status: 505, title: "This version of HTTP is not spoken here", stage: "Proxy" },
  LoopDetected: { status: 508, title: "The request goes in circles", stage: "Proxy" }
})
