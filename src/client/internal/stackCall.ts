/**
 * One logical call of a `ClientStack`: the parts around its attempts, the parts around each attempt, and what is told about
 * both.
 */
import { Cause, Clock, Context, Duration, Effect, Exit, type Fiber, Option, Predicate } from "effect"
import * as Headers from "effect/http/Headers"
import * as HttpClient from "effect/http/HttpClient"
import type { HttpClientError } from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import type * as RateLimiter from "effect/persistence/RateLimiter"
import * as Recorder from "../../lifecycle/Recorder.ts"
import * as Deadline from "../../request/Deadline.ts"
import * as Propagation from "../../request/Propagation.ts"
import * as Attempt from "../../resilience/Attempt.ts"
import * as Bulkhead from "../../resilience/Bulkhead.ts"
import type { CircuitOpen } from "../../resilience/CircuitBreaker.ts"
import type * as Throttle from "../../resilience/Throttle.ts"
import * as Verdict from "../../resilience/Verdict.ts"
import * as IdempotencyKey from "../IdempotencyKey.ts"
import type { Target } from "./address.ts"
import { methodLabel } from "./labels.ts"
import { buffered, discard } from "./responseBody.ts"
import type { Settings } from "./stackSettings.ts"

/**
 * What a stack's own parts fail with, where the call was not made or not waited for.
 *
 * @category errors
 * @since 0.1.0
 */
export type Refused =
  | Deadline.DeadlineExceeded
  | CircuitOpen
  | Bulkhead.BulkheadRejected
  | Throttle.Throttled
  | RateLimiter.RateLimiterError

/** The path template of the running call. */
export const Route = Context.Reference<string | undefined>("effect-lifecycle/client/ClientStack/Route", {
  defaultValue: () => undefined
})

/**
 * A limit of Effect's `RateLimiter` on what a stack sends.
 *
 * @category options
 * @since 0.1.0
 */
export interface RateLimit {
  readonly limiter: RateLimiter.RateLimiter
  /** How many attempts per `window`. */
  readonly limit: number
  readonly window: Duration.Input
  /** What shares a limit; the endpoint when absent. */
  readonly key?: string | ((origin: string) => string) | undefined
  readonly algorithm?: "fixed-window" | "token-bucket" | undefined
  /** Whether an attempt over the limit waits for its turn, as it does when this is absent, or fails. */
  readonly onExceeded?: "delay" | "fail" | undefined
}

// Timers know no finer unit, and two that end together run in the order they were set: the outer one first.
export const tick = 1_000_000n

export class StackCall<E, R> {
  readonly settings: Settings
  readonly client: HttpClient.HttpClient.With<E, R>
  readonly request: HttpClientRequest.HttpClientRequest
  readonly deadline: Deadline.Deadline | undefined
  readonly method: string
  readonly route: string | undefined
  readonly key: string | undefined
  readonly recorder: Recorder.Recorder | undefined
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly clock: Clock.Clock
  /** Requests that were sent, redirects not counted. */
  sent = 0
  endpoint: string | undefined = undefined

  constructor(options: {
    readonly settings: Settings
    readonly client: HttpClient.HttpClient.With<E, R>
    readonly request: HttpClientRequest.HttpClientRequest
    readonly deadline: Deadline.Deadline | undefined
    readonly key: string | undefined
    readonly fiber: Fiber.Fiber<unknown, unknown>
  }) {
    this.settings = options.settings
    this.client = options.client
    this.request = options.request
    this.deadline = options.deadline
    this.fiber = options.fiber
    this.clock = options.fiber.getRef(Clock.Clock)
    this.method = methodLabel(options.request.method)
    const route = options.fiber.getRef(Route)
    this.route = route === undefined ? undefined : options.settings.routeLabel(route)
    this.key = options.key
    this.recorder = options.settings.metrics ? options.fiber.getRef(Recorder.Current) : undefined
  }

  now(): bigint {
    return this.clock.monotonicTimeNanosUnsafe()
  }

  /** Strategy and everything inside it. */
  get attempts(): Effect.Effect<HttpClientResponse, E | HttpClientError | Refused, R> {
    return this.settings.strategy.run((attempt) => this.attempt(attempt), {
      method: this.request.method,
      hasIdempotencyKey: this.key !== undefined,
      // What streams can be sent once only.
      idempotent: canBeSentAgain(this.request) ? undefined : false,
      key: `${this.method} ${this.route ?? ""}`,
      verdict: this.settings.strategyVerdict,
      discard,
      endsAtDeadline: true
    })
  }

  /** Metrics and the span of the logical call around `self`: exactly one report, however it ends. */
  observed<E1, R1>(
    self: Effect.Effect<HttpClientResponse, E1, R1>
  ): Effect.Effect<HttpClientResponse, E1, R1> {
    const traced = this.settings.spans
      ? Effect.useSpan(
        `http.call ${this.name}`,
        { attributes: this.attributes() },
        (span) =>
          Effect.map(Effect.withParentSpan(self, span, { captureStackTrace: false }), (response) => {
            span.attribute("http.response.status_code", response.status)
            span.attribute("lifecycle.attempts", this.sent)
            return response
          })
      )
      : self
    const { recorder } = this
    if (recorder === undefined) return traced
    const startNanos = this.now()
    return Effect.onExit(traced, (exit) =>
      Effect.sync(() =>
        recorder({
          _tag: "ClientRequestEnded",
          method: this.method,
          endpoint: this.settings.endpointLabel(this.endpoint ?? "none"),
          route: this.route,
          status: exit._tag === "Success" ? exit.value.status : undefined,
          errorTag: exit._tag === "Success" ? undefined : tagOf(exit.cause),
          attempts: this.sent,
          startNanos,
          endNanos: this.now()
        }, this.fiber)
      ))
  }

  private get name(): string {
    return this.route === undefined ? this.method : `${this.method} ${this.route}`
  }

  private attributes(): Record<string, string> {
    return {
      "http.request.method": this.method,
      ...(this.route === undefined ? {} : { "url.template": this.route })
    }
  }

  /** The guards of one attempt, the outermost first: breaker, bulkhead, throttle, rate limit. */
  private attempt(info: Attempt.Attempt): Effect.Effect<HttpClientResponse, E | HttpClientError | Refused, R> {
    const target = this.settings.locate(info, this.request)
    return Effect.isEffect(target)
      ? Effect.flatMap(target, (target) => this.guarded(info, target))
      : this.guarded(info, target)
  }

  private guarded(
    info: Attempt.Attempt,
    target: Target
  ): Effect.Effect<HttpClientResponse, E | HttpClientError | Refused, R> {
    const { breaker, bulkhead, rateLimit, throttle, verdict } = this.settings
    this.endpoint = target.origin
    let begun = false
    const begin = () => {
      begun = true
    }
    // What never left this process says nothing about the other side.
    const outcome = (exit: Exit.Exit<HttpClientResponse, unknown>): Verdict.Outcome => {
      if (!begun) return "neutral"
      return isOutOfTime(exit) ? "failure" : Verdict.outcome(verdict(exit, info))
    }
    let self: Effect.Effect<HttpClientResponse, E | HttpClientError | Refused, R> = this.send(info, target, begin)
    if (rateLimit !== undefined) self = Effect.andThen(admitted(rateLimit, target.origin), self)
    if (throttle !== undefined) self = throttle.run(self, { classify: outcome })
    if (bulkhead !== undefined) {
      const classify = (exit: Exit.Exit<HttpClientResponse, unknown>) => begun ? Bulkhead.classify(exit) : "ignore"
      self = "resize" in bulkhead
        ? bulkhead.run(self, { classify })
        : bulkhead.run(target.origin, self, { classify })
    }
    if (breaker !== undefined) self = breaker.run(target.origin, self, { classify: outcome })
    return this.unlessLow(self)
  }

  /** Refuses before any guard hears of it where too little time is left to be answered. */
  private unlessLow<A, E1, R1>(
    self: Effect.Effect<A, E1, R1>
  ): Effect.Effect<A, E1 | Deadline.DeadlineExceeded, R1> {
    if (this.deadline === undefined) return self
    return Effect.withFiber((fiber): Effect.Effect<A, E1 | Deadline.DeadlineExceeded, R1> => {
      const current = Option.getOrUndefined(fiber.getRef(Deadline.Current))
      if (current === undefined) return self
      const now = this.now()
      if (current.expiresAtNanos - now >= this.settings.lowTimeNanos) return self
      return Effect.fail(
        new Deadline.DeadlineExceeded({
          budgetMillis: Number(current.expiresAtNanos - current.startedAtNanos) / 1e6,
          elapsedMillis: Number(now - current.startedAtNanos) / 1e6
        })
      )
    })
  }

  /** One request on the wire, redirects included: its deadline, its headers, its span, its report. */
  private send(
    info: Attempt.Attempt,
    target: Target,
    begin: () => void
  ): Effect.Effect<HttpClientResponse, E | HttpClientError | Refused, R> {
    return this.unlessLow(Effect.suspend(() => {
      begin()
      this.sent++
      const wire = Effect.flatMap(this.headersOf(info, target.request), (request) => this.transport(request))
      const whole = this.settings.buffer ? Effect.flatMap(wire, buffered) : wire
      return this.reported(info, target, this.traced(info, target, this.bounded(whole)))
    }))
  }

  /**
   * The attempt ends itself, and a little before its call does, so that the guards around it hear of the timeout instead
   * of being interrupted with it.
   */
  private bounded<A, E1, R1>(self: Effect.Effect<A, E1, R1>): Effect.Effect<A, E1 | Deadline.DeadlineExceeded, R1> {
    return Effect.withFiber((fiber): Effect.Effect<A, E1 | Deadline.DeadlineExceeded, R1> => {
      const current = Option.getOrUndefined(fiber.getRef(Deadline.Current))
      const { attemptMillis } = this.settings
      const now = this.now()
      const own = attemptMillis === undefined ? undefined : now + BigInt(Math.ceil(attemptMillis * 1e6))
      const given = current === undefined ? undefined : this.beforeTheEnd(current)
      const end = own !== undefined && (given === undefined || own < given) ? own : given
      return end === undefined ? self : this.until(self, now, end > now ? end : now)
    })
  }

  private beforeTheEnd({ expiresAtNanos }: Deadline.Deadline): bigint {
    const total = this.deadline?.expiresAtNanos
    return total !== undefined && expiresAtNanos >= total ? total - tick : expiresAtNanos
  }

  /**
   * As `Deadline.at`, but rounded down, so that it is first even where milliseconds are all that timers know, and without a
   * report: it is the call that misses its deadline, once, and an attempt that ends early may be followed by a better one.
   */
  private until<A, E1, R1>(
    self: Effect.Effect<A, E1, R1>,
    startedAtNanos: bigint,
    expiresAtNanos: bigint
  ): Effect.Effect<A, E1 | Deadline.DeadlineExceeded, R1> {
    const deadline: Deadline.Deadline = { startedAtNanos, expiresAtNanos, origin: "local" }
    const budgetMillis = Number(expiresAtNanos - startedAtNanos) / 1e6
    return Effect.timeoutOrElse(Effect.provideService(self, Deadline.Current, Option.some(deadline)), {
      duration: Number((expiresAtNanos - startedAtNanos) / 1_000_000n),
      orElse: () =>
        Effect.suspend(() =>
          Effect.fail(
            new Deadline.DeadlineExceeded({ budgetMillis, elapsedMillis: Number(this.now() - startedAtNanos) / 1e6 })
          )
        )
    })
  }

  private headersOf(
    info: Attempt.Attempt,
    request: HttpClientRequest.HttpClientRequest
  ): Effect.Effect<HttpClientRequest.HttpClientRequest> {
    const { headers } = this.settings
    const keyed = this.key === undefined || request.headers[IdempotencyKey.header] !== undefined
      ? request
      : HttpClientRequest.setHeader(request, IdempotencyKey.header, this.key)
    if (headers === undefined) return Effect.succeed(keyed)
    return Effect.map(
      Propagation.inject(keyed.headers, headers),
      (injected) =>
        HttpClientRequest.updateHeaders(keyed, () => Headers.set(injected, Attempt.header, Attempt.encode(info)))
    )
  }

  private transport(request: HttpClientRequest.HttpClientRequest): Effect.Effect<HttpClientResponse, E, R> {
    const { headers, redirects, spans } = this.settings
    const client = redirects === 0 ? this.client : HttpClient.followRedirects(eachHop(this.client, headers), redirects)
    const answer = client.execute(request)
    // This span stands for what Effect's own client span would: one of them is enough.
    return spans ? Effect.provideService(answer, HttpClient.TracerDisabledWhen, always) : answer
  }

  private traced<E1, R1>(
    info: Attempt.Attempt,
    target: Target,
    self: Effect.Effect<HttpClientResponse, E1, R1>
  ): Effect.Effect<HttpClientResponse, E1, R1> {
    if (!this.settings.spans) return self
    const attributes = {
      ...this.attributes(),
      "server.address": target.origin,
      "http.request.resend_count": info.number - 1,
      "lifecycle.attempt.kind": info.kind
    }
    return Effect.useSpan(
      this.name,
      { kind: "client", attributes },
      (span) =>
        Effect.map(Effect.withParentSpan(self, span, { captureStackTrace: false }), (response) => {
          span.attribute("http.response.status_code", response.status)
          if (response.status >= 400) span.attribute("error.type", String(response.status))
          return response
        })
    )
  }

  private reported<E1, R1>(
    info: Attempt.Attempt,
    target: Target,
    self: Effect.Effect<HttpClientResponse, E1, R1>
  ): Effect.Effect<HttpClientResponse, E1, R1> {
    const { recorder } = this
    if (recorder === undefined) return self
    const startNanos = this.now()
    return Effect.onExit(self, (exit) =>
      Effect.withFiber((fiber) => {
        recorder({
          _tag: "ClientAttemptEnded",
          method: this.method,
          endpoint: this.settings.endpointLabel(target.origin),
          route: this.route,
          status: exit._tag === "Success" ? exit.value.status : undefined,
          attempt: info.number,
          kind: info.kind,
          startNanos,
          endNanos: this.now()
        }, fiber)
        return Effect.void
      }))
  }
}

const always = () => true

/** Each redirect tells its host how much time is left then. */
const eachHop = <E, R>(
  client: HttpClient.HttpClient.With<E, R>,
  headers: Propagation.InjectOptions | undefined
): HttpClient.HttpClient.With<E, R> =>
  headers === undefined ? client : HttpClient.makeWith(
    (request: Effect.Effect<HttpClientRequest.HttpClientRequest, E, R>) =>
      client.postprocess(Effect.flatMap(request, (request) =>
        Effect.map(Propagation.inject(request.headers, headers), (injected) =>
          HttpClientRequest.updateHeaders(request, () =>
            injected)))),
    client.preprocess
  )

const canBeSentAgain = (request: HttpClientRequest.HttpClientRequest): boolean =>
  request.body._tag !== "Stream" &&
  !(request.body._tag === "Raw" && request.body.body instanceof ReadableStream)

/** What failed, in a word that can be a label. */
const tagOf = (cause: Cause.Cause<unknown>): string => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  if (Predicate.hasProperty(error, "_tag") && typeof error._tag === "string") return error._tag
  return Cause.hasInterruptsOnly(cause) ? "interrupted" : "defect"
}

const isOutOfTime = (exit: Exit.Exit<unknown, unknown>): boolean => {
  if (Exit.isSuccess(exit)) return false
  const error = Cause.findErrorOption(exit.cause)
  return Option.isSome(error) && error.value instanceof Deadline.DeadlineExceeded
}

const admitted = (rateLimit: RateLimit, origin: string): Effect.Effect<void, RateLimiter.RateLimiterError> => {
  const { algorithm, key, limit, limiter, onExceeded, window } = rateLimit
  return Effect.flatMap(
    limiter.consume({
      key: typeof key === "function" ? key(origin) : key ?? origin,
      limit,
      window,
      algorithm,
      onExceeded: onExceeded ?? "delay"
    }),
    ({ delay }) => Duration.isZero(delay) ? Effect.void : Effect.sleep(delay)
  )
}
