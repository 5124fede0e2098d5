/**
 * Limits how many calls run at once, and how many may wait for a turn.
 *
 * A call takes a permit, waits in a bounded queue, or is refused with a typed {@link BulkheadRejected}. The queue is by
 * priority (`request/Priority`): more urgent calls leave it first, calls of one priority in the order they came, and a
 * full queue gives up its newest, least urgent call for a more urgent newcomer. Nobody waits longer than `maxWait`, nor
 * past the deadline of the request (`request/Deadline`); a caller that is interrupted leaves the queue. `retryAfterMillis`
 * is the measured service time times the queue, divided by the limit, unless an option says otherwise.
 *
 * {@link make} has a fixed number of permits, {@link adaptive} finds it: {@link gradient}, {@link vegas} or {@link aimd}
 * look at each call that ended well, and at each that was dropped, and move the limit. {@link keyed} keeps one bulkhead per
 * key. {@link client} puts one around an `HttpClient`, {@link middleware} before a server's handlers.
 *
 * It does not use `Semaphore`: that has no bound on its queue, no priority and no timeout that is one decision with the
 * permit. A JavaScript process runs one fiber at a time, so permits and queue are plain synchronous state, and a call
 * that finds a permit costs well under a microsecond and never leaves its fiber.
 *
 * **Gotchas**
 *
 * - Put it inside the circuit breaker and outside the attempt's deadline: a refusal is our own limit, not the other
 *   side's failure, and the wait is not part of the attempt.
 * - Without `maxWait` and without a deadline a call waits for as long as it takes.
 * - A smaller limit interrupts nobody: it is reached when running calls end.
 * - A call that needs a second permit of the same bulkhead while it holds one can wait for itself.
 * - `client` gives the permit back with the head of the response; reading the body is not counted.
 * - It limits this process only.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Bulkhead } from "effect-lifecycle/resilience"
 * import assert from "node:assert/strict"
 *
 * const program = Effect.gen(function*() {
 *   const bulkhead = yield* Bulkhead.make({ name: "payments", permits: 2, queue: 1, maxWait: "1 second" })
 *   const calls = Array.from({ length: 4 }, () => Effect.result(bulkhead.run(Effect.sleep("5 millis"))))
 *   const results = yield* Effect.all(calls, { concurrency: "unbounded" })
 *   assert.deepEqual(results.map((result) => result._tag), ["Success", "Success", "Success", "Failure"])
 *   assert.equal((yield* bulkhead.stats).rejected.full, 1)
 * })
 *
 * await Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 */
import { Cause, Clock, type Duration, Effect, Exit, type Fiber, Option, Predicate, Random } from "effect"
import { HttpClient, type HttpClientRequest, type HttpServerResponse } from "effect/http"
import * as Deadline from "../request/Deadline.ts"
import type { Algorithm, LimitState, Signal } from "./internal/adaptiveLimit.ts"
import { Core, type Gauge, run, type Settings } from "./internal/bulkheadCore.ts"
import * as bulkheadHttp from "./internal/bulkheadHttp.ts"
import { BulkheadRejected } from "./internal/bulkheadRejected.ts"
import { finiteMillis, wholeNumber } from "./InvalidOption.ts"

export {
  aimd,
  type AimdOptions,
  type Algorithm,
  gradient,
  type GradientOptions,
  type GradientState,
  type LimitState,
  type Sample,
  type Signal,
  vegas,
  type VegasOptions,
  type VegasState
} from "./internal/adaptiveLimit.ts"
export { BulkheadRejected } from "./internal/bulkheadRejected.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface RunOptions<in A, in E> {
  /** Used by adaptive bulkheads only; see {@link AdaptiveOptions.classify}. */
  readonly classify?: ((exit: Exit.Exit<A, E>) => Signal) | undefined
}

/**
 * The figures of a bulkhead. The counts are those since it was made.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stats {
  readonly name: string
  readonly limit: number
  readonly inFlight: number
  readonly queued: number
  readonly completed: number
  readonly rejected: { readonly full: number; readonly waitTimeout: number; readonly shed: number }
  /** The mean time a call held its permit, recent calls first; `undefined` before the first has ended. */
  readonly serviceMillis: number | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Bulkhead {
  readonly name: string
  /** Runs `effect` with a permit, which goes back however `effect` ends. */
  readonly run: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: RunOptions<A, E>
  ) => Effect.Effect<A, E | BulkheadRejected, R>
  readonly stats: Effect.Effect<Stats>
  /** Another number of permits, from 1, at once; throws `InvalidOption`. An adaptive limit goes on from there. */
  readonly resize: (permits: number) => Effect.Effect<void>
}

/**
 * One bulkhead per key.
 *
 * @category models
 * @since 0.1.0
 */
export interface Keyed {
  readonly name: string
  readonly run: <A, E, R>(
    key: string,
    effect: Effect.Effect<A, E, R>,
    options?: RunOptions<A, E>
  ) => Effect.Effect<A, E | BulkheadRejected, R>
  /** None for a key that is not known, or not any more. */
  readonly stats: (key: string) => Effect.Effect<Option.Option<Stats>>
  readonly keys: Effect.Effect<Array<string>>
}

/**
 * @category options
 * @since 0.1.0
 */
export interface QueueOptions {
  /** For errors and reports. */
  readonly name: string
  /** How many may wait. Default 0: nobody waits. */
  readonly queue?: number | undefined
  /** How long one may wait; 0 is not at all. Without it, as long as the deadline allows. */
  readonly maxWait?: Duration.Input | undefined
  /** What a refused caller is told, instead of what was measured. */
  readonly retryAfter?: Duration.Input | undefined
}

/**
 * @category options
 * @since 0.1.0
 */
export interface Options extends QueueOptions {
  /** How many may run at once, from 1. */
  readonly permits: number
}

/**
 * @category options
 * @since 0.1.0
 */
export interface AdaptiveOptions<State extends LimitState> extends QueueOptions {
  readonly algorithm: Algorithm<State>
  /** What the end of a call says; {@link classify} by default. */
  readonly classify?: ((exit: Exit.Exit<unknown, unknown>) => Signal) | undefined
}

/**
 * A bulkhead with a fixed number of permits.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<Bulkhead> => {
  const permits = wholeNumber("Bulkhead.make", "permits", options.permits, 1)
  const settings = settingsOf("Bulkhead.make", options)
  return Effect.sync(() => fromCore(settings, new Core(settings, permits, { inFlight: 0, queued: 0 })))
}

/**
 * A bulkhead that finds its limit by itself.
 *
 * @category constructors
 * @since 0.1.0
 */
export const adaptive = <State extends LimitState>(options: AdaptiveOptions<State>): Effect.Effect<Bulkhead> => {
  const settings = settingsOf("Bulkhead.adaptive", options)
  return Effect.sync(() => {
    const { core, resize } = adaptiveCore(settings, options, { inFlight: 0, queued: 0 })
    return { ...fromCore(settings, core), resize }
  })
}

/**
 * One bulkhead per key, all alike. At most `maximum` keys are kept (10,000 by default): a new one takes the place of the
 * key that has been idle longest, whose measurements are forgotten. Keys that are in use are always kept, so there can be
 * more only when more than `maximum` are in use at once. There are no timers.
 *
 * Reports carry the name, never a key: the calls running and waiting over all keys, and the limit of the key that moved.
 *
 * @category constructors
 * @since 0.1.0
 */
export const keyed = <State extends LimitState = never>(
  options: (Options | AdaptiveOptions<State>) & { readonly maximum?: number | undefined }
): Effect.Effect<Keyed> => {
  const module = "Bulkhead.keyed"
  const settings = settingsOf(module, options)
  const maximum = wholeNumber(module, "maximum", options.maximum ?? 10_000, 1)
  const permits = "permits" in options ? wholeNumber(module, "permits", options.permits, 1) : 1
  return Effect.sync(() => {
    const gauge: Gauge = { inFlight: 0, queued: 0 }
    const busy = new Map<string, Core>()
    // In the order in which they became idle: the first is the one to forget.
    const idle = new Map<string, Core>()
    const build = (key: string): Core => {
      const own = { ...settings, key }
      const core = "algorithm" in options ? adaptiveCore(own, options, gauge).core : new Core(own, permits, gauge)
      core.onIdle = () => {
        busy.delete(key)
        idle.set(key, core)
        forget()
      }
      return core
    }
    const forget = (): void => {
      for (const key of idle.keys()) {
        if (busy.size + idle.size <= maximum) return
        idle.delete(key)
      }
    }
    const use = (key: string): Core => {
      const running = busy.get(key)
      if (running !== undefined) return running
      const core = idle.get(key) ?? build(key)
      idle.delete(key)
      busy.set(key, core)
      forget()
      return core
    }
    return {
      name: settings.name,
      run: (key, effect, options) => run(() => use(key), effect, options?.classify),
      stats: (key) =>
        Effect.sync(() =>
          Option.map(Option.fromUndefinedOr(busy.get(key) ?? idle.get(key)), (core) => statsOf(settings, core))
        ),
      keys: Effect.sync(() => [...idle.keys(), ...busy.keys()])
    }
  })
}

/**
 * The default of {@link AdaptiveOptions.classify}.
 *
 * A success is a sample. A timeout is a drop: `DeadlineExceeded`, `TimeoutError`, and an interruption after the deadline.
 * So is an HTTP answer that says overload: 429, 503 or 504; another answer from 500 says nothing, because failing is often
 * quicker than serving. Every other failure is ignored.
 *
 * @category classifiers
 * @since 0.1.0
 */
export const classify = (exit: Exit.Exit<unknown, unknown>): Signal => {
  if (Exit.isSuccess(exit)) {
    const status = bulkheadHttp.statusOf(exit.value)
    if (status === undefined) return "sample"
    return status === 429 || status === 503 || status === 504 ? "drop" : status >= 500 ? "ignore" : "sample"
  }
  const isDrop = exit.cause.reasons.some((reason) =>
    Cause.isFailReason(reason) && Predicate.hasProperty(reason.error, "_tag") &&
    (reason.error._tag === "DeadlineExceeded" || reason.error._tag === "TimeoutError")
  )
  return isDrop ? "drop" : "ignore"
}

/**
 * Every request of the client takes a permit, or fails with `BulkheadRejected` without being sent.
 *
 * @category http
 * @since 0.1.0
 */
export const client =
  (bulkhead: Bulkhead) =>
  <E, R>(self: HttpClient.HttpClient.With<E, R>): HttpClient.HttpClient.With<E | BulkheadRejected, R> =>
    HttpClient.transform(self, (effect) => bulkhead.run(effect))

/**
 * Every request takes a permit of its key, which is its origin (scheme, host and port) unless `key` says otherwise.
 *
 * @category http
 * @since 0.1.0
 */
export const clientKeyed = (keyed: Keyed, options?: {
  readonly key?: ((request: HttpClientRequest.HttpClientRequest) => string) | undefined
}) =>
<E, R>(self: HttpClient.HttpClient.With<E, R>): HttpClient.HttpClient.With<E | BulkheadRejected, R> => {
  const key = options?.key ?? bulkheadHttp.originOf
  return HttpClient.transform(self, (effect, request) => keyed.run(key(request), effect))
}

/**
 * An `HttpMiddleware`: a request that finds no permit is answered 503 with `Retry-After` and a problem document.
 *
 * Given to `HttpRouter.serve`, `HttpServer.serve` or `HttpEffect.toWebHandler` it holds the permit until the response is
 * handed over for sending; around routes, until the handler has made it.
 *
 * @category http
 * @since 0.1.0
 */
export const middleware = (bulkhead: Bulkhead) =>
<E, R>(
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R> =>
  Effect.suspend(() => {
    // The handler may use bulkheads of its own: only a refusal before it began is this one's.
    let began = false
    const started = Effect.suspend(() => {
      began = true
      return app
    })
    const isOurs = (error: E | BulkheadRejected): error is BulkheadRejected =>
      !began && error instanceof BulkheadRejected
    return Effect.catchIf(bulkhead.run(started), isOurs, bulkheadHttp.unavailable)
  })

const settingsOf = (module: string, options: QueueOptions): Settings => ({
  name: options.name,
  key: undefined,
  queue: wholeNumber(module, "queue", options.queue ?? 0, 0),
  maxWaitMillis: options.maxWait === undefined ? Infinity : finiteMillis(module, "maxWait", options.maxWait),
  retryAfterMillis: options.retryAfter === undefined
    ? undefined
    : finiteMillis(module, "retryAfter", options.retryAfter)
})

const fromCore = (settings: Settings, core: Core): Bulkhead => {
  const itself = () => core
  return {
    name: settings.name,
    run: (effect, options) => run(itself, effect, options?.classify),
    stats: Effect.sync(() => statsOf(settings, core)),
    resize: (permits) => {
      const limit = checkedPermits(permits)
      return Effect.withFiber((fiber) => {
        core.resize(limit, fiber)
        return Effect.void
      })
    }
  }
}

const statsOf = (settings: Settings, core: Core): Stats => ({
  name: settings.name,
  limit: core.limit,
  inFlight: core.inFlight,
  queued: core.queued,
  completed: core.completed,
  rejected: { ...core.rejected },
  serviceMillis: core.serviceMillis
})

const checkedPermits = (permits: number): number => wholeNumber("Bulkhead.resize", "permits", permits, 1)

const adaptiveCore = <State extends LimitState>(settings: Settings, options: AdaptiveOptions<State>, gauge: Gauge) => {
  const { algorithm } = options
  let state = algorithm.initial
  const core = new Core(settings, Math.floor(state.limit), gauge)
  const byDefault = options.classify ?? classify
  core.learn = (call, exit, millis, own) => {
    const signal = Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
      ? isOverdue(call.fiber) ? "drop" : "ignore"
      : (own ?? byDefault)(exit)
    if (signal === "ignore") return
    const random = call.fiber.getRef(Random.Random).nextDoubleUnsafe()
    state = algorithm.update(state, { millis, inFlight: call.inFlight, dropped: signal === "drop", random })
    const limit = Math.floor(state.limit)
    if (limit !== core.limit) core.resize(limit, call.fiber)
  }
  const resize = (permits: number): Effect.Effect<void> => {
    const limit = checkedPermits(permits)
    return Effect.withFiber((fiber) => {
      state = algorithm.resize(state, limit)
      core.resize(Math.floor(state.limit), fiber)
      return Effect.void
    })
  }
  return { core, resize }
}

const isOverdue = (fiber: Fiber.Fiber<unknown, unknown>): boolean => {
  const deadline = fiber.getRef(Deadline.Current)
  return Option.isSome(deadline) &&
    fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe() >= deadline.value.expiresAtNanos
}
