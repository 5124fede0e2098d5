/**
 * A failure rate over time for Effect's own circuit breaker: a `CircuitBreakerStore` that keeps its counts in this process.
 *
 * Effect's `CircuitBreaker.make` counts the last so many calls, however old they are. With this store under it a circuit
 * opens when, within the last `samplingDuration`, at least `minimumThroughput` calls were counted and at least
 * `failureThreshold` of them failed. Use it where code is written against `effect/persistence`; the
 * {@link CircuitBreaker} of this room has the same rate as `failureRate`, and more.
 *
 * - **What is shared:** every breaker made over one built layer shares its circuits by key. Nothing leaves the process: no
 *   count, no state, no probe. {@link CircuitBreakerStoreRedis} is the same between processes.
 * - The window is `windows` buckets of equal length; the oldest leaves as a whole. A call is counted when it ends.
 * - Only a failure can open a circuit, as in aio-request. An outcome that belongs to an older generation (the call began
 *   before the circuit moved) changes nothing.
 * - Half open, one probe runs. After `probe.maxDuration` its slot is free again, so a probe that hangs cannot keep a
 *   circuit from closing; if another call has taken the slot since, the first one's outcome is ignored.
 * - Time is the monotonic clock. There is no timer and no fiber: idle keys go when others are called.
 *
 * **Gotchas**
 *
 * - This store decides when to open, so it ignores the `tripPolicy` that `make` wants. Pass {@link decidedByStore}, which
 *   says so. `openDuration` and the retry-after hints of `make` work as ever.
 * - At most `keys.maximum` circuits are kept. A new one first drops the closed circuit that was called least recently, and
 *   an open one only when none is closed; a dropped circuit starts again as closed.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { CircuitBreaker } from "effect/persistence"
 * import { CircuitBreakerStore } from "effect-lifecycle/resilience"
 * import assert from "node:assert/strict"
 *
 * const program = Effect.gen(function*() {
 *   const breaker = yield* CircuitBreaker.make({
 *     tripPolicy: CircuitBreakerStore.decidedByStore,
 *     openDuration: "30 seconds"
 *   })
 *   const call = (effect: Effect.Effect<string, string>) => Effect.exit(breaker.execute(effect, { key: "payments" }))
 *   yield* call(Effect.succeed("paid"))
 *   yield* call(Effect.fail("down"))
 *   return yield* breaker.state("payments")
 * }).pipe(
 *   Effect.provide(CircuitBreakerStore.layerStoreTimeWindow({
 *     samplingDuration: "10 seconds",
 *     minimumThroughput: 2,
 *     failureThreshold: 0.5
 *   }))
 * )
 *
 * assert.equal((await Effect.runPromise(Effect.scoped(program)))._tag, "Open")
 * ```
 *
 * @since 0.1.0
 */
import { Clock, Duration, Effect, Layer } from "effect"
import { CircuitBreaker as EffectBreaker } from "effect/persistence"
import { makeEntries } from "./internal/circuitEntries.ts"
import * as TimeWindow from "./internal/timeWindow.ts"
import { wholeNumber } from "./InvalidOption.ts"

/**
 * When a circuit opens: aio-request's names.
 *
 * @category models
 * @since 0.1.0
 */
export interface FailureRate {
  /** How far back calls count. */
  readonly samplingDuration: Duration.Input
  /** Fewer calls than this within `samplingDuration` never open the circuit. */
  readonly minimumThroughput: number
  /** The part of the calls that must have failed, above 0, up to 1. */
  readonly failureThreshold: number
  /** Buckets that `samplingDuration` is cut into, at most 1,000; 10 when absent. */
  readonly windows?: number | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface TimeWindowOptions extends FailureRate {
  readonly probe?: {
    /** How long a probe keeps its slot; "30 seconds" when absent. */
    readonly maxDuration?: Duration.Input | undefined
  } | undefined
  readonly keys?: {
    /** A circuit that nobody called for this long is dropped; "1 hour" when absent, never less than `samplingDuration`. */
    readonly idleTimeToLive?: Duration.Input | undefined
    /** The largest number of circuits kept; 10,000 when absent. */
    readonly maximum?: number | undefined
  } | undefined
}

/**
 * The `tripPolicy` to pass to Effect's `make` above a store that decides by itself when to open.
 *
 * @category constructors
 * @since 0.1.0
 */
export const decidedByStore: EffectBreaker.TripPolicy = EffectBreaker.rate({ threshold: 1, size: 1 })

/**
 * A store with a failure rate over time, in the memory of this process; throws `InvalidOption` for options without sense.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerStoreTimeWindow = (
  options: TimeWindowOptions
): Layer.Layer<EffectBreaker.CircuitBreakerStore> => {
  const module = "CircuitBreakerStore.layerStoreTimeWindow"
  const window = TimeWindow.checked(module, options)
  const probeMillis = TimeWindow.wholeMillis(module, "probe.maxDuration", options.probe?.maxDuration ?? "30 seconds")
  const idleMillis = TimeWindow.idleMillis(module, window, options.keys?.idleTimeToLive)
  const maximum = wholeNumber(module, "keys.maximum", options.keys?.maximum ?? 10_000, 1)

  return Layer.sync(EffectBreaker.CircuitBreakerStore, () => {
    const entries = makeEntries({ idleMillis, maximum })

    return EffectBreaker.CircuitBreakerStore.of({
      admit: (key) =>
        Effect.flatMap(nowMillis, (now): Effect.Effect<EffectBreaker.Admission, EffectBreaker.CircuitBreakerError> => {
          const entry = entries.getOrMake(key, now)
          if (entry.state === "Open" && now < entry.until) {
            return Effect.fail(
              new EffectBreaker.CircuitBreakerError({
                reason: new EffectBreaker.CircuitOpen({ key, retryAfter: remaining(entry.until, now) })
              })
            )
          }
          if (entry.state === "HalfOpen" && now < entry.until) {
            return Effect.fail(
              new EffectBreaker.CircuitBreakerError({ reason: new EffectBreaker.CircuitHalfOpen({ key }) })
            )
          }
          if (entry.state === "Closed") {
            if (entry.openings > 0 && now >= entry.until) entry.openings = 0
            return Effect.succeed(admission(entry.generation, false, entry.openings, undefined))
          }
          const moved = entry.state === "Open"
          entry.state = "HalfOpen"
          entry.generation = entries.nextGeneration()
          entry.until = now + probeMillis
          return Effect.succeed(
            admission(
              entry.generation,
              true,
              entry.openings,
              moved ? { key, from: "Open", to: "HalfOpen" } : undefined
            )
          )
        }),
      record: ({ generation, key, openFor, outcome }) =>
        Effect.map(nowMillis, (now): EffectBreaker.Transition | undefined => {
          const entry = entries.get(key, now)
          // Only a call of the present generation counts, and none was admitted into an open one.
          if (entry === undefined || entry.generation !== generation || entry.state === "Open") return undefined
          entry.lastUsed = now
          if (outcome === "Ignored") {
            if (entry.state === "HalfOpen") entry.until = now
            return undefined
          }
          const from = entry.state
          if (from === "HalfOpen" && outcome === "Success") {
            entries.move(key, entry, "Closed")
            entry.until = now + entry.openMillis
            return { key, from, to: "Closed" }
          }
          if (from === "Closed") {
            const failed = outcome === "Failure"
            entry.counts = TimeWindow.count(window, entry.counts, now, failed)
            if (!TimeWindow.trips(window, entry.counts, failed)) return undefined
          }
          entries.move(key, entry, "Open")
          entry.openings++
          entry.openMillis = Math.min(Duration.toMillis(openFor), TimeWindow.longest)
          entry.until = now + entry.openMillis
          return { key, from, to: "Open", retryAfter: openFor, consecutiveOpenings: entry.openings }
        }),
      state: (key) =>
        Effect.map(nowMillis, (now): EffectBreaker.State => {
          const entry = entries.get(key, now)
          switch (entry?.state) {
            case "Open":
              return {
                _tag: "Open",
                key,
                retryAfter: remaining(entry.until, now),
                consecutiveOpenings: entry.openings
              }
            case "HalfOpen":
              return { _tag: "HalfOpen", key, probing: now < entry.until, consecutiveOpenings: entry.openings }
            default:
              return { _tag: "Closed", key }
          }
        })
    })
  })
}

const admission = (
  generation: number,
  probe: boolean,
  consecutiveOpenings: number,
  transition: EffectBreaker.Transition | undefined
): EffectBreaker.Admission => ({ generation, probe, consecutiveOpenings, transition })

/** Rounded up, so that whoever waits as long as it says is let in. */
const remaining = (until: number, now: number): Duration.Duration =>
  Duration.millis(Math.max(0, Math.ceil(until - now)))

const nowMillis: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)
