/**
 * How many requests a caller may send: {@link byAddress} before anybody knows who asks, {@link byUser} after.
 *
 * Both are on the `RateLimiter` of `effect/persistence`, so the counts lie where you put them: in this process
 * ({@link layerMemory}, of bounded memory) or in Redis (`RateLimiter.layerStoreRedis`), shared by all. Every answer that
 * passed a limit carries `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers), so that a caller can pace
 * itself; beyond the quota it is 429 with `Retry-After`, the problem type `quota-exceeded` and `Cache-Control: no-store`.
 *
 * A stage may have several policies, such as a burst and a day; the first that is used up refuses. Routes may cost more
 * than 1, and the key of a caller can be another one.
 *
 * When the store does not answer within `timeout`, the limit is open: the request passes and `RateLimitApplied` is reported
 * with the outcome `skipped`. With `onStoreAway: "closed"` the request is refused with 503. After five such times in a row
 * the store is not asked at all for two seconds, so its trouble does not become everybody's delay.
 *
 * **Gotchas**
 *
 * - Behind a proxy the address is the one that the trusted proxies wrote into `X-Forwarded-For` (`TrustedHops`). A proxy
 *   that passes on what the client wrote lets the client choose.
 * - Policies are asked one after the other: what an earlier one has granted is used up when a later one refuses.
 * - Anonymous callers of exempt routes have no quota of their own in `byUser`: they count by address only.
 * - The key lies in the store. Never make it of a token.
 * - Give the client of Redis `disableOfflineQueue: true`. Otherwise what is asked while Redis is away waits in the client for
 *   it to come back, also when the process wants to end.
 * - A token bucket in Redis goes by the clocks of the servers: they should agree.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
 * import { Authentication, RateLimits, ServerStack } from "effect-lifecycle/server"
 * import * as NodeListener from "effect-lifecycle/server/NodeListener"
 * import assert from "node:assert/strict"
 *
 * const routes = HttpRouter.add("GET", "/orders", HttpServerResponse.text("none"))
 * const live = ServerStack.serve(routes, {
 *   service: "orders",
 *   limitByUser: RateLimits.byUser({ policies: [{ name: "burst", limit: 2, window: "1 minute" }] })
 * }).pipe(
 *   Layer.provide([RateLimits.layerMemory(), Authentication.layerTokens(Redacted.make("token123:alice"))]),
 *   Layer.provideMerge(NodeListener.layer({ port: 0 }))
 * )
 *
 * const program = Effect.gen(function*() {
 *   const url = HttpServer.formatAddress((yield* HttpServer.HttpServer).address)
 *   const ask = Effect.promise(() => fetch(`${url}/orders`, { headers: { authorization: "Bearer token123" } }))
 *   assert.equal((yield* ask).headers.get("ratelimit-policy"), "\"burst\";q=2;w=60")
 *   assert.equal((yield* ask).headers.get("ratelimit"), "\"burst\";r=0;t=60")
 *   const refused = yield* ask
 *   assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "30"])
 * })
 * await Effect.runPromise(program.pipe(Effect.provide(live)))
 * ```
 *
 * @since 0.1.0
 */
import { Context, type Duration, Effect, type Fiber, Schema } from "effect"
import { HttpRouter, HttpServerRequest, type HttpServerResponse } from "effect/http"
import { RateLimiter } from "effect/persistence"
import * as Recorder from "../lifecycle/Recorder.ts"
import { InvalidOption, oneOf, positiveMillis, wholeNumber } from "../resilience/InvalidOption.ts"
import * as RateLimiterStore from "../resilience/RateLimiterStore.ts"
import { CurrentUser } from "./Authentication.ts"
import * as Exchange from "./Exchange.ts"
import * as limiterGuard from "./internal/limiterGuard.ts"
import * as RouteMatch from "./RouteMatch.ts"
import * as ServerStage from "./ServerStage.ts"
import * as TrustedHops from "./TrustedHops.ts"

/**
 * The caller has used up its quota.
 *
 * @category errors
 * @since 0.1.0
 */
export class QuotaExceeded extends Schema.TaggedError<QuotaExceeded>()("QuotaExceeded", {
  /** The names of the policies that are used up. */
  policies: Schema.Array(Schema.String),
  retryAfterMillis: Schema.Finite
}) {
  override get message(): string {
    return `The quota ${this.policies.join(", ")} is used up: try again in ${Math.ceil(this.retryAfterMillis / 1000)} s`
  }
}

/**
 * The store of the limits is away, and a limit fails closed.
 *
 * @category errors
 * @since 0.1.0
 */
export class RateLimitsUnavailable extends Schema.TaggedError<RateLimitsUnavailable>()("RateLimitsUnavailable", {
  policy: Schema.String
}) {
  override get message(): string {
    return `The rate limit ${this.policy} cannot be checked, because its store does not answer: look at the store`
  }
}

/**
 * One quota.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy {
  /** For the headers, the problem and the key in the store: a letter, then letters, digits, `-` or `_`. */
  readonly name: string
  /** What may be used up in a window: requests, unless routes cost more. */
  readonly limit: number
  readonly window: Duration.Input
  /** `token-bucket` (the default) fills up again evenly; `fixed-window` all at once. */
  readonly algorithm?: "token-bucket" | "fixed-window" | undefined
}

/**
 * What both limits take.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** In the order in which they are asked. */
  readonly policies: readonly [Policy, ...ReadonlyArray<Policy>]
  /** Routes without this limit. */
  readonly exempt?: RouteMatch.Routes | undefined
  /** What a request uses up, by routes as `RouteMatch` names them, or for each request. Default 1; 0 is free. */
  readonly cost?:
    | { readonly [route: string]: number }
    | ((request: HttpServerRequest.HttpServerRequest) => number)
    | undefined
  /** What happens while the store does not answer: the request passes (`open`, the default) or is refused with 503. */
  readonly onStoreAway?: "open" | "closed" | undefined
  /** How long the store may take. Default 100 milliseconds. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface AddressOptions extends Options {
  /** Whose `X-Forwarded-For` is followed. Default `"private"`. */
  readonly trust?: TrustedHops.Trust | undefined
  /** Who counts together; `undefined` is not limited. Default `TrustedHops.networkOf(address)`. */
  readonly key?:
    | ((address: string, request: HttpServerRequest.HttpServerRequest) => string | undefined)
    | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface UserOptions extends Options {
  /** Who counts together; `undefined` is not limited. Default the user's id. */
  readonly key?:
    | ((user: CurrentUser["Service"], request: HttpServerRequest.HttpServerRequest) => string | undefined)
    | undefined
}

/**
 * For the slot `limitByAddress`, before authentication.
 *
 * @category stages
 * @since 0.1.0
 */
export const byAddress = (
  options: AddressOptions
): ServerStage.ServerStage<never, never, RateLimiter.RateLimiter> => {
  const trusts = TrustedHops.make(options.trust ?? "private")
  const key = options.key ?? TrustedHops.networkOf
  return make<never>(
    "address",
    options,
    (fiber, request) =>
      key(TrustedHops.clientAddress(Exchange.ofUnsafe(fiber).peer, request.headers["x-forwarded-for"], trusts), request)
  )
}

/**
 * For the slot `limitByUser`, after authentication.
 *
 * @category stages
 * @since 0.1.0
 */
export const byUser = (
  options: UserOptions
): ServerStage.ServerStage<CurrentUser, never, RateLimiter.RateLimiter> => {
  const key = options.key ?? ((user) => user.anonymous === true ? undefined : user.id)
  return make<CurrentUser>(
    "user",
    options,
    // The slot's type has proved that there is a user.
    (fiber, request) => key(Context.getUnsafe(fiber.context as Context.Context<CurrentUser>, CurrentUser), request)
  )
}

/**
 * The limiter with counts in the memory of this process, for at most 100,000 callers unless `maximum` says otherwise.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory = RateLimiterStore.layerMemory

const module = "RateLimits"
const costPlace = { module, option: "cost" }

interface Known extends Omit<Policy, "window"> {
  readonly algorithm: NonNullable<Policy["algorithm"]>
  readonly windowMillis: number
  readonly member: string
}

const make = <Needs>(
  kind: "address" | "user",
  options: Options,
  keyOf: (
    fiber: Fiber.Fiber<unknown, unknown>,
    request: HttpServerRequest.HttpServerRequest
  ) => string | undefined
): ServerStage.ServerStage<Needs, never, RateLimiter.RateLimiter> => {
  const policies = options.policies.map(checked)
  if (policies.length === 0) {
    throw new InvalidOption({ module, option: "policies", value: "[]", allowed: "one policy or more" })
  }
  const exempt = { module, option: "exempt" }
  const isExempt = RouteMatch.make(options.exempt ?? [], exempt)
  const closed = oneOf(module, "onStoreAway", options.onStoreAway ?? "open", ["open", "closed"]) === "closed"
  const costOf = costs(options.cost, Math.min(...policies.map(({ limit }) => limit)))
  const timeout = options.timeout ?? "100 millis"
  positiveMillis(module, "timeout", timeout)
  const advertised = policies.map(({ limit, member, windowMillis }) =>
    `${member};q=${limit};w=${Math.max(1, Math.ceil(windowMillis / 1000))}`
  ).join(", ")

  return ServerStage.make<Needs, never, RateLimiter.RateLimiter>({
    name: "server/RateLimits",
    reports: "Middleware",
    routes: [
      ...RouteMatch.given(exempt, options.exempt, { beside: true }),
      ...typeof options.cost === "object" ? RouteMatch.given(costPlace, Object.keys(options.cost)) : []
    ],
    wrap: Effect.gen(function*() {
      const guard = yield* limiterGuard.make(yield* RateLimiter.RateLimiter, { name: kind, timeout })
      return (next) =>
        Effect.withFiber((fiber) => {
          const { route } = Context.getUnsafe(fiber.context, HttpRouter.RouteContext)
          if (isExempt(route)) return next
          const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
          const subject = keyOf(fiber, request)
          const tokens = costOf(route, request)
          if (subject === undefined || tokens === 0) return next
          const { headers } = Exchange.ofUnsafe(fiber)
          append(headers, "ratelimit-policy", advertised)
          const ask = (index: number): Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, Needs> => {
            const policy = policies[index]
            if (policy === undefined) return next as Effect.Effect<HttpServerResponse.HttpServerResponse, unknown>
            const { algorithm, limit, member, name, windowMillis } = policy
            const answer = (taken: limiterGuard.Taken) => {
              switch (taken._tag) {
                case "Granted":
                  append(
                    headers,
                    "ratelimit",
                    `${member};r=${Math.floor(taken.remaining)};t=${seconds(taken.resetMillis)}`
                  )
                  return ask(index + 1)
                case "Exceeded":
                  append(headers, "ratelimit", `${member};r=0;t=${Math.max(1, seconds(taken.retryAfterMillis))}`)
                  report(fiber, name, "refused")
                  return Effect.fail(
                    new QuotaExceeded({ policies: [name], retryAfterMillis: taken.retryAfterMillis })
                  )
                case "Away":
                  if (closed) {
                    report(fiber, name, "unavailable")
                    return Effect.fail(new RateLimitsUnavailable({ policy: name }))
                  }
                  report(fiber, name, "skipped")
                  return ask(index + 1)
              }
            }
            const key = `${kind}/${name}/${subject}`
            const taken = guard.take({ key, limit, tokens, algorithm, windowMillis }, fiber)
            return Effect.isEffect(taken) ? Effect.flatMap(taken, answer) : answer(taken)
          }
          return ask(0)
        })
    })
  })
}

const seconds = (millis: number): number => Math.max(0, Math.ceil(millis / 1000))

/** Two limits write into one list. */
const append = (headers: Record<string, string>, name: string, member: string): void => {
  const before = headers[name]
  headers[name] = before === undefined ? member : `${before}, ${member}`
}

const report = (
  fiber: Fiber.Fiber<unknown, unknown>,
  policy: string,
  outcome: Recorder.RateLimitApplied["outcome"]
): void => fiber.getRef(Recorder.Current)?.({ _tag: "RateLimitApplied", policy, outcome }, fiber)

const checked = (policy: Policy, index: number, all: ReadonlyArray<Policy>): Known => {
  const { name } = policy
  if (!/^[A-Za-z][\w-]{0,63}$/.test(name) || all.findIndex((other) => other.name === name) !== index) {
    throw new InvalidOption({
      module,
      option: "policies.name",
      value: name,
      allowed: "a letter, then up to 63 letters, digits, - or _, used once"
    })
  }
  return {
    name,
    member: `"${name}"`,
    limit: wholeNumber(module, `policies.${name}.limit`, policy.limit, 1),
    windowMillis: Math.max(1, positiveMillis(module, `policies.${name}.window`, policy.window)),
    algorithm: oneOf(module, `policies.${name}.algorithm`, policy.algorithm ?? "token-bucket", [
      "token-bucket",
      "fixed-window"
    ])
  }
}

const costs = (cost: Options["cost"], most: number) => {
  if (cost === undefined) return () => 1
  if (typeof cost === "function") {
    return (_route: RouteMatch.Named, request: HttpServerRequest.HttpServerRequest): number => {
      const asked = cost(request)
      // A cost that is computed from a request must not give quota back, nor be no number at all.
      return asked >= 0 ? Math.ceil(asked) : 1
    }
  }
  const named = Object.entries(cost).map(([route, value]) => {
    const tokens = wholeNumber(module, `cost.${route}`, value, 0)
    if (tokens > most) {
      const allowed = `at most the smallest limit, ${most}: this route could never be asked`
      throw new InvalidOption({ module, option: `cost.${route}`, value: String(value), allowed })
    }
    return { matches: RouteMatch.make([route], costPlace), tokens }
  })
  return (route: RouteMatch.Named): number => named.find(({ matches }) => matches(route))?.tokens ?? 1
}
