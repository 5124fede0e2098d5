import { Duration, Effect, Predicate } from "effect"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import * as Priority from "../../request/Priority.ts"
import type * as Propagation from "../../request/Propagation.ts"
import type { Bulkhead, Keyed } from "../../resilience/Bulkhead.ts"
import type { CircuitBreaker } from "../../resilience/CircuitBreaker.ts"
import {
  finiteMillis,
  headerValue,
  InvalidOption,
  oneOf,
  positiveMillis,
  wholeNumber
} from "../../resilience/InvalidOption.ts"
import * as RequestStrategy from "../../resilience/RequestStrategy.ts"
import * as RetryBudget from "../../resilience/RetryBudget.ts"
import type { Throttle } from "../../resilience/Throttle.ts"
import * as Verdict from "../../resilience/Verdict.ts"
import type { Options } from "../ClientStack.ts"
import { type Locate, locator } from "./address.ts"
import { bounded } from "./labels.ts"
import type { RateLimit } from "./stackCall.ts"

/** The checked options of a stack, with their defaults. */
export interface Settings {
  readonly timeoutMillis: number | undefined
  readonly lowTimeNanos: bigint
  readonly locate: Locate
  readonly metrics: boolean
  readonly spans: boolean
  readonly strategy: RequestStrategy.RequestStrategy<HttpClientResponse>
  readonly verdict: Verdict.Classifier<HttpClientResponse, unknown>
  /** The strategy's, which may know of another endpoint when this one is refused. */
  readonly strategyVerdict: Verdict.Classifier<HttpClientResponse, unknown>
  readonly breaker: CircuitBreaker | undefined
  readonly bulkhead: Bulkhead | Keyed | undefined
  readonly throttle: Throttle | undefined
  readonly rateLimit: RateLimit | undefined
  readonly attemptMillis: number | undefined
  readonly headers: Propagation.InjectOptions | undefined
  readonly priority: Priority.Priority | undefined
  readonly generateKey: boolean
  readonly redirects: number
  readonly buffer: boolean
  readonly endpointLabel: (value: string) => string
  readonly routeLabel: (value: string) => string
}

/**
 * A part of a stack, and what it was told.
 *
 * @category models
 * @since 0.1.0
 */
export interface Part {
  readonly name:
    | "deadline"
    | "metrics"
    | "span"
    | "fallback"
    | "strategy"
    | "lowTime"
    | "breaker"
    | "bulkhead"
    | "throttle"
    | "rateLimit"
    | "attemptSpan"
    | "attemptDeadline"
    | "headers"
    | "body"
    | "redirects"
    | "transport"
  readonly detail: string
}

const module = "ClientStack.make"

export const settingsOf = <E2, R2>(options: Options<E2, R2>): Settings => {
  const lowTime = finiteMillis(module, "lowTime", options.lowTime ?? "5 millis")
  const { rateLimit, verdict = Verdict.http } = options
  if (rateLimit !== undefined) {
    wholeNumber(module, "rateLimit.limit", rateLimit.limit, 1)
    positiveMillis(module, "rateLimit.window", rateLimit.window)
  }
  checkParts(options)
  return {
    timeoutMillis: options.timeout === "none"
      ? undefined
      : finiteMillis(module, "timeout", options.timeout ?? "20 seconds"),
    lowTimeNanos: BigInt(Math.ceil(lowTime * 1e6)),
    locate: locator(options.baseUrl),
    metrics: options.metrics ?? true,
    spans: options.spans ?? true,
    strategy: options.strategy === "none"
      ? RequestStrategy.makeSingle({ minimumTime: lowTime })
      : options.strategy ?? byDefault(lowTime),
    verdict,
    strategyVerdict: typeof options.baseUrl === "function" ? Verdict.retryRefusals(verdict) : verdict,
    breaker: options.breaker,
    bulkhead: options.bulkhead,
    throttle: options.throttle,
    rateLimit,
    attemptMillis: options.attemptTimeout === undefined
      ? undefined
      : finiteMillis(module, "attemptTimeout", options.attemptTimeout),
    headers: options.headers === false ? undefined : { ...options.headers, serviceName: options.serviceName },
    priority: options.priority,
    generateKey: options.idempotencyKey === "generate",
    redirects: wholeNumber(module, "redirects", options.redirects ?? 0, 0),
    buffer: options.buffer ?? false,
    endpointLabel: bounded(100),
    routeLabel: bounded(500)
  }
}

/** What is not a part where one is asked for would be a defect of every call. */
const checkParts = <E2, R2>(options: Options<E2, R2>): void => {
  const { breaker, bulkhead, fallback, idempotencyKey, priority, rateLimit, serviceName, strategy, throttle, verdict } =
    options
  if (strategy !== "none") checkPart("strategy", strategy, "run", "a RequestStrategy or \"none\"")
  checkPart("breaker", breaker, "run", "a CircuitBreaker, as CircuitBreaker.make gives one")
  checkPart("bulkhead", bulkhead, "run", "a Bulkhead")
  checkPart("throttle", throttle, "run", "a Throttle")
  checkPart("rateLimit", rateLimit && (rateLimit.limiter ?? null), "consume", "with a RateLimiter as its limiter")
  checkPart("fallback", fallback, "fallback", "an object with the function fallback")
  if (verdict !== undefined && typeof verdict !== "function") {
    throw new InvalidOption({ module, option: "verdict", value: shown(verdict), allowed: "a Verdict classifier" })
  }
  if (priority !== undefined) oneOf(module, "priority", priority, Priority.Priority.literals)
  if (idempotencyKey !== undefined) oneOf(module, "idempotencyKey", idempotencyKey, ["generate"])
  if (serviceName === undefined) return
  if (serviceName === "") {
    throw new InvalidOption({ module, option: "serviceName", value: "\"\"", allowed: "the name of this service" })
  }
  headerValue(module, "serviceName", serviceName)
}

const checkPart = (option: string, value: unknown, method: string, allowed: string): void => {
  if (value === undefined || (Predicate.hasProperty(value, method) && typeof value[method] === "function")) return
  throw new InvalidOption({ module, option, value: shown(value), allowed })
}

const shown = (value: unknown): string =>
  typeof value === "string" ? JSON.stringify(value) : value === null ? "null" : typeof value

const byDefault = (minimumTime: number): RequestStrategy.RequestStrategy<HttpClientResponse> => {
  // Making it only allocates: a stack is an ordinary value, made where programs are put together.
  const budget = Effect.runSync(RetryBudget.ratio({ name: "client" }))
  const repeated = RequestStrategy.sequential({ minimumTime, budget })
  return RequestStrategy.byMethod({
    safe: repeated,
    idempotent: repeated,
    unsafe: RequestStrategy.makeSingle({ minimumTime })
  })
}

export const describeSettings = (settings: Settings, fallback: string | undefined | false): ReadonlyArray<Part> => {
  const { describe } = settings.strategy
  const millis = (value: number) => Duration.format(Duration.millis(value))
  const part = (name: Part["name"], detail: string | undefined | false): ReadonlyArray<Part> =>
    detail === undefined || detail === false ? [] : [{ name, detail }]
  return [
    ...part("deadline", settings.timeoutMillis === undefined ? "the caller's" : millis(settings.timeoutMillis)),
    ...part("metrics", settings.metrics && "one report a call, one an attempt"),
    ...part("span", settings.spans && "of the call"),
    ...part("fallback", fallback),
    ...part("strategy", `${describe.name}, at most ${describe.attempts} attempts`),
    ...part("lowTime", millis(Number(settings.lowTimeNanos) / 1e6)),
    ...part("breaker", settings.breaker?.name),
    ...part("bulkhead", settings.bulkhead?.name),
    ...part("throttle", settings.throttle?.name),
    ...part("rateLimit", settings.rateLimit && `${settings.rateLimit.limit} per window`),
    ...part("attemptSpan", settings.spans && "of the attempt"),
    ...part("attemptDeadline", settings.attemptMillis === undefined ? "what is left" : millis(settings.attemptMillis)),
    ...part(
      "headers",
      settings.headers && "deadline, priority, request id, trace, attempt, idempotency key, service name"
    ),
    ...part("body", settings.buffer && "read as part of the attempt"),
    ...part("redirects", settings.redirects > 0 && `at most ${settings.redirects}`),
    ...part("transport", "the client given")
  ]
}
