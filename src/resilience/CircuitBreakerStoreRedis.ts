/**
 * The failure rate over time of {@link CircuitBreakerStore}, shared between processes through Redis.
 *
 * Under Effect's `CircuitBreaker.make` it lets every process that uses the same Redis and `keys.prefix` see one circuit per
 * key: calls of all of them count together, one trip stops all of them, and half open one probe runs over all of them. Use
 * it where many processes call one upstream, each of them too seldom to notice by itself that it is down.
 *
 * - **What is shared:** per key the state, the generation, the counts of the window, the openings in a row, and who may
 *   probe. **What never leaves a process:** the calls, their results and errors, `transitions` (each process sees those it
 *   made itself), and the whole of {@link CircuitBreaker}, the breaker of this room, which this store does not touch.
 * - Each step is one Lua script, so two processes cannot trip or probe at once. Time is that of Redis: the clocks of the
 *   processes do not matter.
 * - Every admission carries a generation, and a result counts only while the circuit is still in it. A late result of a
 *   call that began before the circuit moved changes nothing, in whatever process it ends.
 * - A probe holds its slot by a lease. Its process renews it every third of `probe.lease`, for at most `probe.maxDuration`;
 *   when the process dies or loses Redis, the lease ends and another call may probe. The lost probe's result is then ignored.
 * - A key is one hash that expires by itself. An open circuit is kept for `keys.idleTimeToLive` past its open time.
 *
 * **Gotchas**
 *
 * - It needs Redis 5 or later. Each call costs two round trips. `onStoreError` of `make` says what happens when Redis
 *   cannot be reached: by default the calls run unguarded.
 * - This store decides when to open, so pass `CircuitBreakerStore.decidedByStore` as the `tripPolicy` of `make`.
 * - The options must be the same in every process; nothing checks it. Change `keys.prefix` when you change them.
 * - The prefix must differ from that of Effect's own `layerStoreRedis`, whose hashes look different. The defaults do.
 * - A failed renewal is not reported: the next one is tried, and when none succeeds the lease ends.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { CircuitBreaker, Redis } from "effect/persistence"
 * import { CircuitBreakerStore, CircuitBreakerStoreRedis } from "effect-lifecycle/resilience"
 * import assert from "node:assert/strict"
 *
 * const Breaker = CircuitBreaker.layer({
 *   tripPolicy: CircuitBreakerStore.decidedByStore,
 *   openDuration: "30 seconds"
 * }).pipe(
 *   Layer.provide(CircuitBreakerStoreRedis.layerStoreTimeWindowRedis({
 *     samplingDuration: "10 seconds",
 *     minimumThroughput: 20,
 *     failureThreshold: 0.5
 *   }))
 * )
 *
 * // `NodeRedis.layer({ url })` of `@effect/platform-node` in a service; here a Redis that cannot be reached.
 * const unreachable = Effect.fail(new Redis.RedisError({ cause: "refused" }))
 * const NoRedis = Layer.effect(
 *   Redis.Redis,
 *   Redis.make({ send: () => unreachable, subscribe: () => unreachable, connect: unreachable })
 * )
 *
 * // The call runs all the same: by default `make` does not let a lost store stop the calls.
 * const program = Effect.gen(function*() {
 *   const breaker = yield* CircuitBreaker.CircuitBreaker
 *   return yield* breaker.execute(Effect.succeed("paid"), { key: "payments" })
 * }).pipe(Effect.provide(Breaker.pipe(Layer.provide(NoRedis))))
 *
 * assert.equal(await Effect.runPromise(program), "paid")
 * ```
 *
 * @since 0.1.0
 */
import { Duration, Effect, Layer, type Scope } from "effect"
import { CircuitBreaker as EffectBreaker, Redis } from "effect/persistence"
import type { FailureRate } from "./CircuitBreakerStore.ts"
import * as Lua from "./internal/luaTimeWindow.ts"
import * as TimeWindow from "./internal/timeWindow.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface TimeWindowRedisOptions extends FailureRate {
  readonly probe?: {
    /** How long a probe keeps its slot though its process lives; "30 seconds" when absent. */
    readonly maxDuration?: Duration.Input | undefined
    /** How long a probe keeps its slot when its process is gone; "10 seconds" when absent. */
    readonly lease?: Duration.Input | undefined
  } | undefined
  readonly keys?: {
    /** A circuit that nobody called for this long is dropped; "1 hour" when absent, never less than `samplingDuration`. */
    readonly idleTimeToLive?: Duration.Input | undefined
    /** What the names of the hashes begin with; "circuit-window:" when absent. */
    readonly prefix?: string | undefined
  } | undefined
}

/**
 * A store with a failure rate over time, shared through Redis; throws `InvalidOption` for options without sense.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerStoreTimeWindowRedis = (
  options: TimeWindowRedisOptions
): Layer.Layer<EffectBreaker.CircuitBreakerStore, never, Redis.Redis> => {
  const module = "CircuitBreakerStoreRedis.layerStoreTimeWindowRedis"
  const limits: Limits = {
    window: TimeWindow.checked(module, options),
    leaseMillis: TimeWindow.wholeMillis(module, "probe.lease", options.probe?.lease ?? "10 seconds"),
    probeMillis: TimeWindow.wholeMillis(module, "probe.maxDuration", options.probe?.maxDuration ?? "30 seconds"),
    idleMillis: TimeWindow.idleMillis(module, TimeWindow.checked(module, options), options.keys?.idleTimeToLive),
    prefix: options.keys?.prefix ?? "circuit-window:"
  }
  return Layer.effect(EffectBreaker.CircuitBreakerStore, Effect.map(Redis.Redis, (redis) => make(redis, limits)))
}

interface Limits {
  readonly window: TimeWindow.Window
  readonly leaseMillis: number
  readonly probeMillis: number
  readonly idleMillis: number
  readonly prefix: string
}

const make = (redis: Redis.Redis["Service"], limits: Limits): EffectBreaker.CircuitBreakerStore["Service"] => {
  const admit = redis.eval(Lua.admit)
  const record = redis.eval(Lua.record)
  const state = redis.eval(Lua.state)
  const renew = redis.eval(Lua.renew)
  const nameOf = (key: string) => `${limits.prefix}${key}`

  const failing = (message: string) =>
    Effect.mapError((error: Redis.RedisError) =>
      new EffectBreaker.CircuitBreakerError({
        reason: new EffectBreaker.CircuitBreakerStoreError({ message, cause: error.cause })
      })
    )

  /** Ends by itself once the slot is lost: a renewal can never win it back. */
  const keepRenewing = (key: string, generation: number): Effect.Effect<void, never, Scope.Scope> =>
    renew(nameOf(key), generation, limits.leaseMillis).pipe(
      Effect.orElseSucceed(() => 1),
      Effect.delay(Duration.millis(limits.leaseMillis / 3)),
      Effect.repeat({ while: (held) => held === 1 }),
      Effect.interruptible,
      Effect.forkScoped,
      Effect.asVoid
    )

  return EffectBreaker.CircuitBreakerStore.of({
    admit: Effect.fnUntraced(function*(key) {
      const answer = yield* admit(nameOf(key), limits.leaseMillis, limits.probeMillis, limits.idleMillis).pipe(
        failing(`Redis could not admit a call to circuit "${key}"`)
      )
      if (answer[0] === "open") {
        const retryAfter = Duration.millis(Math.max(0, answer[1]))
        return yield* new EffectBreaker.CircuitBreakerError({
          reason: new EffectBreaker.CircuitOpen({ key, retryAfter })
        })
      }
      if (answer[0] === "halfopen") {
        return yield* new EffectBreaker.CircuitBreakerError({ reason: new EffectBreaker.CircuitHalfOpen({ key }) })
      }
      const generation = Number(answer[1])
      const probe = answer[2] === 1
      if (probe) yield* keepRenewing(key, generation)
      return {
        generation,
        probe,
        consecutiveOpenings: answer[3],
        transition: answer[4] === 1 ? { key, from: "Open", to: "HalfOpen" } : undefined
      } satisfies EffectBreaker.Admission
    }),
    record: ({ generation, key, openFor, outcome }) => {
      const openMillis = Math.min(Math.ceil(Duration.toMillis(openFor)), TimeWindow.longest)
      return record(nameOf(key), { generation, outcome, openMillis }, limits.window, limits.idleMillis).pipe(
        failing(`Redis could not note how a call to circuit "${key}" ended`),
        Effect.map(([moved, consecutiveOpenings]): EffectBreaker.Transition | undefined => {
          if (moved === "none") return undefined
          if (moved === "halfopen-closed") return { key, from: "HalfOpen", to: "Closed" }
          const from = moved === "closed-open" ? "Closed" : "HalfOpen"
          return { key, from, to: "Open", retryAfter: openFor, consecutiveOpenings }
        })
      )
    },
    state: (key) =>
      state(nameOf(key)).pipe(
        failing(`Redis could not read circuit "${key}"`),
        Effect.map(([state, remaining, consecutiveOpenings, probing]): EffectBreaker.State => {
          if (state === "Open") {
            return { _tag: "Open", key, retryAfter: Duration.millis(remaining), consecutiveOpenings }
          }
          if (state === "HalfOpen") return { _tag: "HalfOpen", key, probing: probing === 1, consecutiveOpenings }
          return { _tag: "Closed", key }
        })
      )
  })
}
