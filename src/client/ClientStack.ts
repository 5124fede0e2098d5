/**
 * Everything that should stand around an `HttpClient`, in the one order that works, each part optional.
 *
 * From the outside in: **deadline** of the whole call (20 s) > **metrics** and **span** > **fallback** > **strategy** >
 * **breaker** of the endpoint > **bulkhead** > **throttle** and **rate limit** > **attempt**: its deadline, its headers,
 * its span > **redirects** > the client given. What is inside the strategy happens once per attempt: requests mapped on the
 * client given are mapped for each attempt, with its headers already set; requests mapped on the result, once per call.
 *
 * - The deadline is enforced by interruption over everything: waits, queues, connecting, redirects, and reading the body.
 *   It is the nearest of `timeout` and what the caller has left; a deadline set around the call (`Deadline.within`)
 *   replaces `timeout`. An attempt ends one millisecond before the call, so that the breaker hears of a timeout.
 * - The default strategy makes three attempts at GET, HEAD, OPTIONS, PUT and DELETE, and one at everything else unless it
 *   has an idempotency key. Rejected are transport errors, 408, 429 and 5xx: see `Verdict.http`. Retries are at most a fifth
 *   of the calls of the last 10 seconds, and 10 a second: see `RetryBudget.ratio`.
 * - With less than `lowTime` (5 ms) left nothing is sent, and no breaker hears of it.
 * - Each attempt tells the server what is left of its time, the priority, the request id, the trace, the attempt's number
 *   and kind, the idempotency key, and this service's name.
 * - Strategy (`RequestStrategy.withStrategy`), deadline, priority and `IdempotencyKey` given around one call win over the
 *   stack's.
 *
 * {@link make} keeps each part's failure as a type; {@link httpClient} and {@link layer} give a plain `HttpClient`, whose
 * only failure is `HttpClientError` with the part's failure as its cause ({@link refusalOf}).
 *
 * **Gotchas**
 *
 * - Give the host as `baseUrl`, not by mapping requests: breaker, bulkhead and metrics know endpoints by it.
 * - A response is handed over with its head. Its body ends with the call's deadline, but a body that breaks is not retried
 *   unless `buffer` makes reading it part of the attempt.
 * - Metrics know paths by {@link route} only: name it, or all paths are one.
 * - `fetch` follows redirects itself; for `redirects` give it `RequestInit` with `redirect: "manual"`.
 * - A request whose body is a stream is sent once: it cannot be read twice.
 * - `HttpClient.withScope` belongs on the client given, not on the result: each attempt then has a scope of its own.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { HttpClient, HttpClientResponse } from "effect/http"
 * import { ClientStack, IdempotencyKey } from "effect-lifecycle/client"
 * import assert from "node:assert/strict"
 *
 * const statuses = [503, 201]
 * const flaky = HttpClient.make((request) =>
 *   Effect.succeed(HttpClientResponse.fromWeb(request, new Response("", { status: statuses.shift() ?? 201 })))
 * )
 * const payments = flaky.pipe(ClientStack.make({ baseUrl: "http://payments.internal", serviceName: "orders" }))
 *
 * const charge = payments.post("/payments").pipe(ClientStack.route("/payments"))
 * const keyed = charge.pipe(IdempotencyKey.provide("order-42"))
 * assert.equal((await Effect.runPromise(keyed)).status, 201)
 * ```
 *
 * @since 0.1.0
 */
import { type Cause, Clock, Context, type Duration, Effect, type Fiber, Layer, Option } from "effect"
import { dual } from "effect/Function"
import * as HttpClient from "effect/http/HttpClient"
import { HttpClientError, TransportError } from "effect/http/HttpClientError"
import type { HttpClientRequest } from "effect/http/HttpClientRequest"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import * as Deadline from "../request/Deadline.ts"
import * as Priority from "../request/Priority.ts"
import type { InjectOptions } from "../request/Propagation.ts"
import type { Attempt } from "../resilience/Attempt.ts"
import type { Bulkhead, Keyed } from "../resilience/Bulkhead.ts"
import type { CircuitBreaker } from "../resilience/CircuitBreaker.ts"
import type { On } from "../resilience/Fallback.ts"
import { InvalidOption } from "../resilience/InvalidOption.ts"
import type { RequestStrategy } from "../resilience/RequestStrategy.ts"
import type { Throttle } from "../resilience/Throttle.ts"
import type { Classifier } from "../resilience/Verdict.ts"
import * as IdempotencyKey from "./IdempotencyKey.ts"
import { withFallback } from "./internal/stackFallback.ts"
import { endsAt } from "./internal/responseBody.ts"
import { type RateLimit, type Refused, Route, StackCall, tick } from "./internal/stackCall.ts"
import { describeSettings, type Part, type Settings, settingsOf } from "./internal/stackSettings.ts"

export type { RateLimit, Refused } from "./internal/stackCall.ts"
export type { Part } from "./internal/stackSettings.ts"

/**
 * What answers when the call fails.
 *
 * @category options
 * @since 0.1.0
 */
export interface FallbackOptions<E2, R2> {
  /** In reports. `client` when absent. */
  readonly name?: string | undefined
  /** Which failures are worth it; any typed failure when absent. */
  readonly on?: On<HttpClientError | Refused> | undefined
  /**
   * Whether a response that the verdict rejects, such as 503, counts as a failure too: a `StatusCodeError` that holds it.
   * True when absent. Where the fallback is not taken the caller gets the response.
   */
  readonly responses?: boolean | undefined
  /** It sees why. It has what is left of the call's time. */
  readonly fallback: (
    cause: Cause.Cause<HttpClientError | Refused>,
    request: HttpClientRequest
  ) => Effect.Effect<HttpClientResponse, E2, R2>
}

/**
 * The parts of a stack. Each can be left out.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options<E2 = never, R2 = never> {
  /** For the whole call and its body, where the caller set no deadline around it. 20 seconds when absent. */
  readonly timeout?: Duration.Input | "none" | undefined
  /** With less time than this left nothing is sent. 5 ms when absent. */
  readonly lowTime?: Duration.Input | undefined
  /** Where paths begin, or a function that says so for each attempt: a retry or hedge may go to another replica. */
  readonly baseUrl?:
    | string
    | URL
    | ((attempt: Attempt, request: HttpClientRequest) => string | URL | Effect.Effect<string | URL>)
    | undefined
  /** Reports `ClientRequestEnded` and `ClientAttemptEnded` to the `Recorder`. True when absent. */
  readonly metrics?: boolean | undefined
  /** A span for the call and a child for each attempt. True when absent; otherwise Effect's own client span. */
  readonly spans?: boolean | undefined
  readonly fallback?: FallbackOptions<E2, R2> | undefined
  /** See the module's header for the default; `"none"` makes one attempt. */
  readonly strategy?: RequestStrategy<HttpClientResponse> | "none" | undefined
  /** What an outcome means, for strategy, breaker, throttle and fallback. `Verdict.http` when absent. */
  readonly verdict?: Classifier<HttpClientResponse, unknown> | undefined
  /** One circuit per endpoint: scheme, host and port. */
  readonly breaker?: CircuitBreaker | undefined
  /** One for all endpoints, or one each. */
  readonly bulkhead?: Bulkhead | Keyed | undefined
  readonly throttle?: Throttle | undefined
  readonly rateLimit?: RateLimit | undefined
  /** For one attempt and its redirects. What is left of the call's time when absent. */
  readonly attemptTimeout?: Duration.Input | undefined
  /** How deadline, priority, request id and trace are sent; `false` sends none of it. */
  readonly headers?: Omit<InjectOptions, "serviceName"> | false | undefined
  /** Sent as `X-Service-Name`. */
  readonly serviceName?: string | undefined
  /** The priority of calls whose caller has none. */
  readonly priority?: Priority.Priority | undefined
  /** `"generate"` gives a key to each POST and PATCH that has none. Only for servers that keep keys. */
  readonly idempotencyKey?: "generate" | undefined
  /** How many redirects to follow; none when absent. */
  readonly redirects?: number | undefined
  /** Reads the body as part of the attempt: a body that breaks or hangs is then retried. False when absent. */
  readonly buffer?: boolean | undefined
}

/**
 * Puts the parts around a client. Throws `InvalidOption` for an option that makes no sense.
 *
 * Parts that count (breaker, bulkhead, throttle, the strategy's budget) are shared by every client made with one result of
 * `make`, and by every stack they are given to.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <E2 = never, R2 = never>(options: Options<E2, R2> = {}): <R>(
  client: HttpClient.HttpClient.With<HttpClientError, R>
) => HttpClient.HttpClient.With<HttpClientError | Refused | E2, R | R2> => {
  const settings = settingsOf(options)
  return <R>(client: HttpClient.HttpClient.With<HttpClientError, R>) =>
    HttpClient.makeWith<HttpClientError | Refused | E2, R | R2, HttpClientError | Refused | E2, R | R2>(
      (request) => call(settings, options.fallback, client, request),
      Effect.succeed
    )
}

/**
 * The same as a plain `HttpClient`: what a part fails with becomes the cause of a `TransportError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const httpClient = (
  options: Options<HttpClientError> = {}
): (client: HttpClient.HttpClient) => HttpClient.HttpClient => {
  const stack = make(options)
  return (client) => {
    const inner = stack(client)
    return HttpClient.makeWith(
      (request: Effect.Effect<HttpClientRequest, HttpClientError>) =>
        Effect.flatMap(
          request,
          (request) =>
            Effect.mapError(inner.execute(request), (error) =>
              error instanceof HttpClientError ? error : new HttpClientError({
                reason: new TransportError({ request, cause: error, description: error.message })
              }))
        ),
      Effect.succeed
    )
  }
}

/**
 * Puts the parts around the `HttpClient` of the context.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Options<HttpClientError> = {}
): Layer.Layer<HttpClient.HttpClient, never, HttpClient.HttpClient> =>
  Layer.effect(HttpClient.HttpClient, Effect.map(HttpClient.HttpClient, httpClient(options)))

/**
 * The parts that a stack of these options has, the outermost first.
 *
 * @category describing
 * @since 0.1.0
 */
export const describe = <E2, R2>(options: Options<E2, R2> = {}): ReadonlyArray<Part> =>
  describeSettings(settingsOf(options), options.fallback === undefined ? false : options.fallback.name ?? "client")

/**
 * Names the path template of the calls in `self`, such as `/users/{id}`, for metrics and spans. Without it they know the
 * method and the endpoint only: the path itself has no bound.
 *
 * @category combinators
 * @since 0.1.0
 */
export const route: {
  (template: string): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, template: string): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, template: string): Effect.Effect<A, E, R> =>
    Effect.provideService(self, Route, template)
)

/**
 * Fills in a path template. Values are percent-encoded, so none can add a segment or a query.
 *
 * Throws `InvalidOption` where a placeholder has no value of its own, or one that would make another path: an empty text, a
 * dot segment, `NaN`.
 *
 * @example
 * ```ts
 * import { ClientStack } from "effect-lifecycle/client"
 * import assert from "node:assert/strict"
 *
 * assert.equal(ClientStack.expand("/users/{id}/orders", { id: "a/b" }), "/users/a%2Fb/orders")
 * ```
 *
 * @category paths
 * @since 0.1.0
 */
export const expand = (template: string, values: Readonly<Record<string, string | number>>): string =>
  template.replace(/\{([^{}]+)\}/g, (_, name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined
    const text = String(value)
    const refused = (allowed: string) =>
      new InvalidOption({ module: "ClientStack.expand", option: name, value: JSON.stringify(text), allowed })
    // `NaN` in a path is a mistake of the caller's, and what is neither text nor number would be `[object Object]`.
    if (typeof value !== "string" && !(typeof value === "number" && Number.isFinite(value))) {
      throw new InvalidOption({
        module: "ClientStack.expand",
        option: name,
        value: String(value),
        allowed: "a text or a finite number"
      })
    }
    // Without it the path would be that of the collection.
    if (text === "") throw refused("no empty text")
    // A dot segment would be resolved away, encoded or not.
    if (text === "." || text === "..") throw refused("no dot segment")
    if (!text.isWellFormed()) throw refused("text that UTF-8 can write: it has half of a surrogate pair")
    return encodeURIComponent(text)
  })

/**
 * The failure of a part inside an `HttpClientError`: of a call of {@link httpClient}, or of reading a body too late.
 *
 * @category accessors
 * @since 0.1.0
 */
export const refusalOf = (error: unknown): Option.Option<Refused> => {
  const cause = error instanceof HttpClientError && error.reason._tag === "TransportError" ? error.reason.cause : error
  return isRefused(cause) ? Option.some(cause) : Option.none()
}

const refusals: ReadonlySet<unknown> = new Set<Refused["_tag"]>([
  "DeadlineExceeded",
  "CircuitOpen",
  "BulkheadRejected",
  "Throttled",
  "RateLimiterError"
])

const isRefused = (error: unknown): error is Refused =>
  typeof error === "object" && error !== null && "_tag" in error && refusals.has(error._tag)

const call = <E2, R, R2>(
  settings: Settings,
  fallback: FallbackOptions<E2, R2> | undefined,
  client: HttpClient.HttpClient.With<HttpClientError, R>,
  request: Effect.Effect<HttpClientRequest, HttpClientError | Refused | E2, R | R2>
): Effect.Effect<HttpClientResponse, HttpClientError | Refused | E2, R | R2> =>
  Effect.withFiber((fiber) => {
    const now = fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()
    const deadline = totalOf(settings, fiber, now)
    const whole = Effect.flatMap(request, (request) =>
      Effect.withFiber((fiber) =>
        Effect.flatMap(keyOf(settings, request, fiber), (key) => {
          const call = new StackCall({ settings, client, request, deadline, key, fiber })
          const { attempts } = call
          return call.observed(
            fallback === undefined ? attempts : withFallback(attempts, request, fallback, settings.verdict)
          )
        })
      ))
    const prioritised = settings.priority === undefined || Context.getOrUndefined(fiber.context, Priority.Current)
      ? whole
      : Effect.provideService(whole, Priority.Current, settings.priority)
    if (deadline === undefined) {
      return prioritised
    }
    // A call without any time still is a call: its strategy refuses it, and it is counted.
    const bounded = deadline.expiresAtNanos > now
      ? Deadline.at(
        Effect.catchTag(prioritised, "DeadlineExceeded", (error) =>
          untilTheEnd(error, deadline)),
        deadline
      )
      : Effect.provideService(prioritised, Deadline.Current, Option.some(deadline))
    return Effect.map(bounded, (response) =>
      endsAt(response, deadline))
  })

/**
 * The last attempt ends a tick early, for its guards. Its caller, and whoever set the deadline, hear of it on time: from
 * the deadline itself.
 */
const untilTheEnd = <E>(error: E, deadline: Deadline.Deadline): Effect.Effect<never, E> =>
  Effect.flatMap(
    Clock.monotonicTimeNanos,
    (now) => deadline.expiresAtNanos - now <= tick ? Effect.never : Effect.fail(error)
  )

/** A deadline that was set around the call by hand replaces the stack's own; an inherited one only makes it shorter. */
const totalOf = (
  settings: Settings,
  fiber: Fiber.Fiber<unknown, unknown>,
  now: bigint
): Deadline.Deadline | undefined => {
  const current = Option.getOrUndefined(fiber.getRef(Deadline.Current))
  if (current?.origin === "local" || settings.timeoutMillis === undefined) return current
  const own = Deadline.make({ duration: settings.timeoutMillis, startedAtNanos: now, origin: "default" })
  return current !== undefined && current.expiresAtNanos < own.expiresAtNanos ? current : own
}

const safe: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE"])

const keyOf = (
  settings: Settings,
  request: HttpClientRequest,
  fiber: Fiber.Fiber<unknown, unknown>
): Effect.Effect<string | undefined> => {
  const own = request.headers[IdempotencyKey.header]
  if (own !== undefined || safe.has(request.method)) return Effect.succeed(own)
  const given = Option.getOrUndefined(fiber.getRef(IdempotencyKey.Current))
  return given === undefined && settings.generateKey && (request.method === "POST" || request.method === "PATCH")
    ? IdempotencyKey.generate
    : Effect.succeed(given)
}
