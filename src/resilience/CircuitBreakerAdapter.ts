/**
 * The breaker of this room as the `CircuitBreaker` of `effect/persistence`, for what asks for that one.
 *
 * `HttpClient.withCircuitBreaker` and libraries written against Effect take `CircuitBreakerAdapter.make(breaker)` as it is:
 * the policies, the snapshots, the isolation and the metrics of {@link CircuitBreaker} stay behind it, and code that holds
 * the breaker itself sees the same circuits.
 *
 * - **What is shared:** nothing beyond this process. The adapter needs no `CircuitBreakerStore` and never talks to one; to
 *   share circuits, use Effect's own `make` with its Redis store or with {@link CircuitBreakerStoreRedis}.
 * - An open circuit refuses with `CircuitOpen`, a half-open one whose probes are all under way with `CircuitHalfOpen`.
 * - An isolated circuit refuses with `CircuitOpen` too, since Effect has no word for it. Its `retryAfter` is a guess, but
 *   finite and never zero: the first open time of the policy, at least a second.
 * - Without `classify` a call is judged by the breaker's own policy. With it, interruption stays neutral, and a classifier
 *   that dies makes the call die and counts as nothing.
 *
 * **Gotchas**
 *
 * - The retry-after of an outcome (`CircuitBreaker.failure({ retryAfter })`) does not lengthen the open time.
 * - `transitions` tells of every move, in the four edges that Effect knows: what was closed by hand, or released from
 *   isolation, goes Open, HalfOpen, Closed. `retryAfter` and `consecutiveOpenings` are those of the moment it is read.
 * - The stream `transitions` never ends by itself.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { HttpClient, HttpClientResponse } from "effect/http"
 * import { CircuitBreaker, CircuitBreakerAdapter } from "effect-lifecycle/resilience"
 * import assert from "node:assert/strict"
 *
 * const down = HttpClient.make((request) =>
 *   Effect.succeed(HttpClientResponse.fromWeb(request, new Response(null, { status: 503 })))
 * )
 *
 * const program = Effect.gen(function*() {
 *   const breaker = yield* CircuitBreaker.make({
 *     name: "inventory",
 *     trip: CircuitBreaker.consecutive(2),
 *     breakDuration: "10 seconds"
 *   })
 *   const client = down.pipe(HttpClient.withCircuitBreaker({ breaker: CircuitBreakerAdapter.make(breaker) }))
 *   yield* client.get("http://inventory.test/items")
 *   yield* client.get("http://inventory.test/items")
 *   const refused = yield* Effect.flip(client.get("http://inventory.test/items"))
 *   return [refused._tag, (yield* breaker.snapshot("http://inventory.test")).state]
 * })
 *
 * assert.deepEqual(await Effect.runPromise(program), ["CircuitBreakerError", "Open"])
 * ```
 *
 * @since 0.1.0
 */
import { Cause, Duration, Effect, Exit, Layer, Stream } from "effect"
import { dual } from "effect/Function"
import { CircuitBreaker as EffectBreaker } from "effect/persistence"
import * as CircuitBreaker from "./CircuitBreaker.ts"
import type { Outcome } from "./Verdict.ts"

/**
 * `breaker` as Effect's `CircuitBreaker`: the same circuits under the same keys.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (breaker: CircuitBreaker.CircuitBreaker): EffectBreaker.CircuitBreaker => {
  const execute = <A, E, R, R2 = never>(
    self: Effect.Effect<A, E, R>,
    { classify, key }: {
      readonly key: string
      readonly classify?: Classify<A, E, R2> | undefined
    }
  ): Effect.Effect<A, E | EffectBreaker.CircuitBreakerError, R | R2> =>
    classify === undefined ? runPlain(breaker, key, self) : runClassified(breaker, key, self, classify)

  return EffectBreaker.CircuitBreaker.of({
    [EffectBreaker.TypeId]: EffectBreaker.TypeId,
    execute: dual(2, execute),
    state: (key) => Effect.map(breaker.snapshot(key), (snapshot) => stateOf(key, snapshot)),
    transitions: Stream.flatMap(
      breaker.events,
      (event) =>
        event._tag === "Moved"
          ? Stream.unwrap(Effect.map(transitionsOf(breaker, event), Stream.fromArray))
          : Stream.empty
    )
  })
}

/**
 * Provides Effect's `CircuitBreaker` out of `CircuitBreaker.Service`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<EffectBreaker.CircuitBreaker, never, CircuitBreaker.Service> = Layer.effect(
  EffectBreaker.CircuitBreaker,
  Effect.map(CircuitBreaker.Service, make)
)

type Classify<A, E, R> = (
  exit: Exit.Exit<A, E>
) => EffectBreaker.Outcome | Effect.Effect<EffectBreaker.Outcome, never, R>

const runPlain = <A, E, R>(
  breaker: CircuitBreaker.CircuitBreaker,
  key: string,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E | EffectBreaker.CircuitBreakerError, R> =>
  Effect.suspend(() => {
    let began = false
    const noticed = Effect.suspend(() => {
      began = true
      return self
    })
    return Effect.mapError(
      breaker.run(key, noticed),
      // A call that began fails with its own error, even where that is the refusal of another breaker.
      (error) => began || !(error instanceof CircuitBreaker.CircuitOpen) ? error as E : refusal(error)
    )
  })

const runClassified = <A, E, R, R2>(
  breaker: CircuitBreaker.CircuitBreaker,
  key: string,
  self: Effect.Effect<A, E, R>,
  classify: Classify<A, E, R2>
): Effect.Effect<A, E | EffectBreaker.CircuitBreakerError, R | R2> => {
  const judged = Effect.flatMap(Effect.exit(self), (exit): Effect.Effect<Judged<A, E>, never, R2> => {
    if (Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)) return Effect.succeed({ exit, outcome: "neutral" })
    const asked = Effect.suspend(() => {
      const outcome = classify(exit)
      return Effect.isEffect(outcome) ? outcome : Effect.succeed(outcome)
    })
    return Effect.map(Effect.exit(asked), (answer) => {
      if (Exit.isSuccess(answer)) return { exit, outcome: outcomes[answer.value._tag] }
      const cause = Exit.isFailure(exit) ? Cause.combine(exit.cause, answer.cause) : answer.cause
      return { exit: Exit.failCause(cause), outcome: "neutral" }
    })
  })
  return breaker.run(key, judged, {
    classify: (exit) => Exit.isSuccess(exit) ? exit.value.outcome : "neutral"
  }).pipe(
    Effect.mapError(refusal),
    Effect.flatMap(({ exit }) => exit)
  )
}

interface Judged<A, E> {
  readonly exit: Exit.Exit<A, E>
  readonly outcome: Outcome
}

const outcomes: { readonly [Tag in EffectBreaker.Outcome["_tag"]]: Outcome } = {
  Success: "success",
  Failure: "failure",
  Ignored: "neutral"
}

const refusal = (error: CircuitBreaker.CircuitOpen): EffectBreaker.CircuitBreakerError => {
  const { isolated, key, retryAfterMillis } = error
  const probing = !isolated && retryAfterMillis === 0
  return new EffectBreaker.CircuitBreakerError({
    reason: probing
      ? new EffectBreaker.CircuitHalfOpen({ key })
      : new EffectBreaker.CircuitOpen({ key, retryAfter: retryAfter(retryAfterMillis, isolated) })
  })
}

/** Whole milliseconds, rounded up, so that whoever waits as long is let in. */
const retryAfter = (millis: number, isolated: boolean): Duration.Duration =>
  Duration.millis(Math.max(isolated ? 1_000 : 0, Math.ceil(millis)))

const stateOf = (key: string, snapshot: CircuitBreaker.Snapshot): EffectBreaker.State => {
  const consecutiveOpenings = snapshot.openings
  switch (snapshot.state) {
    case "Closed":
      return { _tag: "Closed", key }
    case "HalfOpen":
      return { _tag: "HalfOpen", key, probing: snapshot.probes > 0, consecutiveOpenings }
    case "Open":
    case "Isolated":
      return {
        _tag: "Open",
        key,
        retryAfter: retryAfter(snapshot.retryAfterMillis, snapshot.state === "Isolated"),
        consecutiveOpenings
      }
  }
}

/** In Effect's edges: isolated is open to it, and it knows no way from open to closed but by half open. */
const transitionsOf = (
  breaker: CircuitBreaker.CircuitBreaker,
  event: Extract<CircuitBreaker.Event, { readonly _tag: "Moved" }>
): Effect.Effect<Array<EffectBreaker.Transition>> =>
  Effect.map(breaker.snapshot(event.key), (snapshot): Array<EffectBreaker.Transition> => {
    const key = event.key
    const from = event.from === "Isolated" ? "Open" : event.from
    const to = event.to === "Isolated" ? "Open" : event.to
    const probing: EffectBreaker.Transition = { key, from: "Open", to: "HalfOpen" }
    const closing: EffectBreaker.Transition = { key, from: "HalfOpen", to: "Closed" }
    if (from === to) return []
    if (to === "HalfOpen") return [probing]
    if (to === "Closed") return from === "Open" ? [probing, closing] : [closing]
    return from === "Open" ? [] : [{
      key,
      from,
      to,
      retryAfter: retryAfter(snapshot.retryAfterMillis, snapshot.state === "Isolated"),
      consecutiveOpenings: snapshot.openings
    }]
  })
