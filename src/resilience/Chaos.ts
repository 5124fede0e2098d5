/**
 * Makes calls slow or wrong on purpose, at a rate, so that one can see what the guards around them do.
 *
 * {@link latency} waits before the call, {@link fault} fails instead of it, {@link outcome} answers instead of it. Nothing
 * happens until {@link Enabled} is on, which is a `Context.Reference`: a test or a lesson turns it on for a part of a
 * program with {@link enable} or {@link layer}, and the code under it stays as it is in production. {@link client} puts the
 * same three around an `HttpClient`.
 *
 * Chances are drawn from `Random` and waits are slept on `Clock`: with `Random.withSeed` and `TestClock` a run can be
 * repeated to the call. With a rate of 0 or 1 nothing is drawn.
 *
 * **Gotchas**
 *
 * - Put it innermost, where the real call is: chaos outside a guard tests nothing of that guard.
 * - `enabled` can narrow a call down (for one tenant, one route); it never overrules {@link Enabled}.
 * - The injections of one call are independent of each other: the outermost draws first.
 *
 * @example
 * ```ts
 * import { Effect, Random } from "effect"
 * import { Chaos } from "effect-lifecycle/resilience"
 * import assert from "node:assert/strict"
 *
 * const call = Effect.succeed("fine").pipe(
 *   Chaos.fault({ name: "payments", rate: 0.5, fault: Effect.fail("down" as const) }),
 *   Effect.orElseSucceed(() => "down")
 * )
 * const four = Effect.all([call, call, call, call])
 *
 * assert.deepEqual(await Effect.runPromise(four), ["fine", "fine", "fine", "fine"])
 * const chaotic = four.pipe(Chaos.enable, Random.withSeed("lesson"))
 * assert.deepEqual(await Effect.runPromise(chaotic), await Effect.runPromise(chaotic))
 * ```
 *
 * @since 0.1.0
 */
import { Context, Duration, Effect, type Fiber, Layer, Random } from "effect"
import { dual } from "effect/Function"
import { HttpClient, type HttpClientRequest, type HttpClientResponse } from "effect/http"
import * as Recorder from "../lifecycle/Recorder.ts"
import { between, finiteMillis, InvalidOption } from "./InvalidOption.ts"

/**
 * Whether chaos is on; off by default.
 *
 * @category references
 * @since 0.1.0
 */
export const Enabled = Context.Reference<boolean>("effect-lifecycle/resilience/Chaos/Enabled", {
  defaultValue: () => false
})

/**
 * Turns chaos on for everything that is built on or run with this layer, or off with `false`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (enabled: boolean = true): Layer.Layer<never> => Layer.succeed(Enabled, enabled)

/**
 * Turns chaos on for `self`.
 *
 * @category combinators
 * @since 0.1.0
 */
export const enable = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(self, Enabled, true)

/**
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /** For reports. */
  readonly name: string
  /** The share of calls that are changed, from 0 to 1. */
  readonly rate: number
  /** Whether this call may be changed; asked only while {@link Enabled} is on. */
  readonly enabled?: Effect.Effect<boolean> | undefined
}

/**
 * @category options
 * @since 0.1.0
 */
export interface LatencyOptions extends Options {
  /** A time, or two between which it is drawn evenly. */
  readonly latency: Duration.Input | Range
}

/**
 * Two times, the second not shorter than the first.
 *
 * @category options
 * @since 0.1.0
 */
export interface Range {
  readonly from: Duration.Input
  readonly to: Duration.Input
}

/**
 * @category options
 * @since 0.1.0
 */
export interface FaultOptions<E, R = never> extends Options {
  /** What happens instead of the call: `Effect.fail`, `Effect.die`, `Effect.interrupt` or `Effect.never`. */
  readonly fault: Effect.Effect<never, E, R>
}

/**
 * @category options
 * @since 0.1.0
 */
export interface OutcomeOptions<A, E = never, R = never> extends Options {
  /** The answer instead of the call's. */
  readonly outcome: Effect.Effect<A, E, R>
}

/**
 * Waits before `self`, at the rate given.
 *
 * @category combinators
 * @since 0.1.0
 */
export const latency: {
  (options: LatencyOptions): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, options: LatencyOptions): Effect.Effect<A, E, R>
} = dual(2, <A, E, R>(self: Effect.Effect<A, E, R>, options: LatencyOptions): Effect.Effect<A, E, R> => {
  const [from, to] = boundsOf(options.latency)
  return inject("latency", self, options, (fiber) => {
    const millis = from === to ? from : from + (to - from) * fiber.getRef(Random.Random).nextDoubleUnsafe()
    return Effect.andThen(Effect.sleep(millis), self)
  })
})

/**
 * Fails instead of running `self`, at the rate given.
 *
 * @category combinators
 * @since 0.1.0
 */
export const fault: {
  <E1, R1 = never>(
    options: FaultOptions<E1, R1>
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | E1, R | R1>
  <A, E, R, E1, R1 = never>(
    self: Effect.Effect<A, E, R>,
    options: FaultOptions<E1, R1>
  ): Effect.Effect<A, E | E1, R | R1>
} = dual(
  2,
  <A, E, R, E1, R1>(
    self: Effect.Effect<A, E, R>,
    options: FaultOptions<E1, R1>
  ): Effect.Effect<A, E | E1, R | R1> => inject("fault", self, options, () => options.fault)
)

/**
 * Answers instead of running `self`, at the rate given.
 *
 * @category combinators
 * @since 0.1.0
 */
export const outcome: {
  <A1, E1 = never, R1 = never>(
    options: OutcomeOptions<A1, E1, R1>
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A | A1, E | E1, R | R1>
  <A, E, R, A1, E1 = never, R1 = never>(
    self: Effect.Effect<A, E, R>,
    options: OutcomeOptions<A1, E1, R1>
  ): Effect.Effect<A | A1, E | E1, R | R1>
} = dual(
  2,
  <A, E, R, A1, E1, R1>(
    self: Effect.Effect<A, E, R>,
    options: OutcomeOptions<A1, E1, R1>
  ): Effect.Effect<A | A1, E | E1, R | R1> => inject("outcome", self, options, () => options.outcome)
)

/**
 * Chaos around every request of an `HttpClient`: latency first, then a fault, then an outcome, each with its own rate.
 * `fault` and `outcome` see the request; `HttpClientResponse.fromWeb(request, new Response(...))` makes an answer.
 *
 * @category http
 * @since 0.1.0
 */
export const client = <E1 = never>(options: {
  readonly latency?: LatencyOptions | undefined
  readonly fault?:
    | Options & { readonly fault: (request: HttpClientRequest.HttpClientRequest) => Effect.Effect<never, E1> }
    | undefined
  readonly outcome?:
    | Options & {
      readonly outcome: (
        request: HttpClientRequest.HttpClientRequest
      ) => Effect.Effect<HttpClientResponse.HttpClientResponse, E1>
    }
    | undefined
}) => {
  const slow = options.latency
  const broken = options.fault
  const other = options.outcome
  if (slow !== undefined) {
    boundsOf(slow.latency)
    rateOf("latency", slow)
  }
  if (broken !== undefined) rateOf("fault", broken)
  if (other !== undefined) rateOf("outcome", other)
  return <E, R>(self: HttpClient.HttpClient.With<E, R>): HttpClient.HttpClient.With<E | E1, R> =>
    HttpClient.transform(self, (effect, request) => {
      let changed: Effect.Effect<HttpClientResponse.HttpClientResponse, E | E1, R> = effect
      if (other !== undefined) {
        changed = outcome(changed, {
          ...other,
          outcome: Effect.suspend(() => other.outcome(request))
        })
      }
      if (broken !== undefined) {
        changed = fault(changed, {
          ...broken,
          fault: Effect.suspend(() => broken.fault(request))
        })
      }
      return slow === undefined ? changed : latency(changed, slow)
    })
}

const inject = <A, E, R, A1, E1, R1>(
  kind: Recorder.ChaosInjected["kind"],
  self: Effect.Effect<A, E, R>,
  options: Options,
  change: (fiber: Fiber.Fiber<unknown, unknown>) => Effect.Effect<A1, E1, R1>
): Effect.Effect<A | A1, E | E1, R | R1> => {
  const rate = rateOf(kind, options)
  const { enabled, name } = options
  const roll = Effect.withFiber((fiber): Effect.Effect<A | A1, E | E1, R | R1> => {
    if (rate === 0 || (rate < 1 && fiber.getRef(Random.Random).nextDoubleUnsafe() >= rate)) return self
    const recorder = fiber.getRef(Recorder.Current)
    if (recorder !== undefined) recorder({ _tag: "ChaosInjected", name, kind }, fiber)
    return change(fiber)
  })
  return Effect.withFiber((fiber) => {
    if (!fiber.getRef(Enabled)) return self
    return enabled === undefined ? roll : Effect.flatMap(enabled, (may) => may ? roll : self)
  })
}

const rateOf = (kind: Recorder.ChaosInjected["kind"], options: Options): number =>
  between(`Chaos.${kind}`, "rate", options.rate, 0, 1)

const boundsOf = (latency: LatencyOptions["latency"]): readonly [number, number] => {
  const module = "Chaos.latency"
  if (!isRange(latency)) {
    const millis = finiteMillis(module, "latency", latency)
    return [millis, millis]
  }
  const from = finiteMillis(module, "latency.from", latency.from)
  const to = finiteMillis(module, "latency.to", latency.to)
  if (to >= from) return [from, to]
  throw new InvalidOption({ module, option: "latency.to", value: `${to} ms`, allowed: `at least ${from} ms` })
}

const isRange = (latency: LatencyOptions["latency"]): latency is Range =>
  typeof latency === "object" && !Duration.isDuration(latency) && "from" in latency
