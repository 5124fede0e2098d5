/**
 * A store for Effect's `RateLimiter` in the memory of this process, whose memory is bounded.
 *
 * `RateLimiter.layerStoreMemory` keeps every key it has ever seen, so a limit by address grows with every address. This one
 * forgets a key when its quota is full again, which is the same as never having seen it, and keeps at most `maximum` keys:
 * beyond, the one that was used least recently goes. A caller that keeps asking is therefore the last to be forgotten.
 * Old keys are looked at when keys are used; there are no timers.
 *
 * Use it with one process. Where several share a limit, give `RateLimiter.layer` the store of Redis.
 *
 * **Gotchas**
 *
 * - A key that is forgotten early has a full quota again: choose `maximum` above the callers of one window. An entry takes
 *   about 150 bytes and its key.
 * - Time is the monotonic clock: a jump of the wall clock gives nobody a new quota.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { RateLimiter } from "effect/persistence"
 * import { RateLimiterStore } from "effect-lifecycle/resilience"
 * import assert from "node:assert/strict"
 *
 * const program = Effect.gen(function*() {
 *   const limiter = yield* RateLimiter.RateLimiter
 *   const take = limiter.consume({ key: "alice", limit: 2, window: "1 minute" })
 *   assert.equal((yield* take).remaining, 1)
 *   assert.equal((yield* take).remaining, 0)
 *   assert.equal((yield* Effect.flip(take)).reason._tag, "RateLimitExceeded")
 * })
 * await Effect.runPromise(program.pipe(Effect.provide(RateLimiterStore.layerMemory())))
 * ```
 *
 * @since 0.1.0
 */
import { Clock, Duration, Effect, Layer } from "effect"
import { RateLimiter } from "effect/persistence"
import { makeBounded } from "./internal/boundedMap.ts"
import * as localLimiters from "./internal/localLimiters.ts"
import { wholeNumber } from "./InvalidOption.ts"

/**
 * @category options
 * @since 0.1.0
 */
export interface MemoryOptions {
  /** Keys at most, of either algorithm. Default 100,000. */
  readonly maximum?: number | undefined
}

/**
 * The store; throws `InvalidOption` where `maximum` is no whole number from 1.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerStoreMemory = (options: MemoryOptions = {}): Layer.Layer<RateLimiter.RateLimiterStore> => {
  const maximum = maximumOf("layerStoreMemory", options)
  return Layer.sync(RateLimiter.RateLimiterStore, () => storeOf(countersOf(maximum), maximum))
}

/**
 * Effect's `RateLimiter` over {@link layerStoreMemory}.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory = (options: MemoryOptions = {}): Layer.Layer<RateLimiter.RateLimiter> => {
  const maximum = maximumOf("layerMemory", options)
  return Layer.effect(
    RateLimiter.RateLimiter,
    Effect.suspend(() => {
      const counters = countersOf(maximum)
      return RateLimiter.make.pipe(
        Effect.tap((limiter) => Effect.sync(() => localLimiters.set(limiter, counters))),
        Effect.provideService(RateLimiter.RateLimiterStore, storeOf(counters, maximum))
      )
    })
  )
}

/**
 * What is asked of a limiter: `limit` tokens a window, and `tokens` of them now.
 *
 * @category models
 * @since 0.1.0
 */
export type Asked = localLimiters.Asked

/**
 * What a limiter said.
 *
 * @category models
 * @since 0.1.0
 */
export type Taken = localLimiters.Taken

/**
 * The answer of `consume` with `onExceeded: "fail"` as a plain function of the monotonic milliseconds, where the limiter is
 * of {@link layerMemory}; `undefined` for any other. For a hot path: `consume` runs ten effects and makes six durations.
 *
 * @category unsafe
 * @since 0.1.0
 */
export const synchronous = (
  limiter: RateLimiter.RateLimiter
): ((asked: Asked, nowMillis: number) => Taken) | undefined => {
  const counters = localLimiters.get(limiter)
  return counters === undefined ? undefined : (asked, nowMillis) => localLimiters.take(counters, asked, nowMillis)
}

const maximumOf = (layer: string, options: MemoryOptions): number =>
  wholeNumber(`RateLimiterStore.${layer}`, "maximum", options.maximum ?? 100_000, 1)

const countersOf = (maximum: number): localLimiters.Counters => {
  const counters = new Forgetful<Counter>(maximum)
  const buckets = new Forgetful<Bucket>(maximum)
  return {
    fixedWindow: ({ key, limit, refillMillis, tokens }, now) => {
      const counter = counters.use(key, now) ?? counters.add(key, { count: 0, until: now })
      if (limit !== undefined && counter.count + tokens > limit) return [counter.count + tokens, counter.until - now]
      counter.count += tokens
      counter.until += refillMillis * tokens
      return [counter.count, counter.until - now]
    },
    tokenBucket: ({ allowOverflow, key, limit, refillMillis, tokens }, now) => {
      const bucket = buckets.use(key, now) ?? buckets.add(key, { tokens: limit, refilledAt: now, until: now })
      const refills = Math.floor((now - bucket.refilledAt) / refillMillis)
      if (refills > 0) {
        bucket.tokens = Math.min(limit, bucket.tokens + refills)
        bucket.refilledAt += refills * refillMillis
      }
      if (bucket.tokens >= limit) bucket.refilledAt = now
      const remaining = bucket.tokens - tokens
      if (allowOverflow || remaining >= 0) bucket.tokens = remaining
      bucket.until = bucket.refilledAt + Math.ceil(limit - bucket.tokens) * refillMillis
      return [remaining, Math.max(0, now - bucket.refilledAt)]
    }
  }
}

const storeOf = (counters: localLimiters.Counters, maximum: number): Store => {
  // What is learnt of other servers' limits is Effect's own: one of its stores for each key, so that keys can be forgotten.
  const learnt = makeBounded<Store>(maximum)
  const learntOf = (key: string): Effect.Effect<Store> => {
    const known = learnt.get(key)
    return known === undefined ? Effect.map(effectStore, (store) => learnt.set(key, store)) : Effect.succeed(known)
  }
  return RateLimiter.RateLimiterStore.of({
    fixedWindow: ({ refillRate, ...asked }) =>
      atNow((now) => counters.fixedWindow({ ...asked, refillMillis: Duration.toMillis(refillRate) }, now)),
    tokenBucket: ({ refillRate, ...asked }) =>
      atNow((now) => counters.tokenBucket({ ...asked, refillMillis: Duration.toMillis(refillRate) }, now)),
    adaptiveConsume: (options) => Effect.flatMap(learntOf(options.key), (store) => store.adaptiveConsume(options)),
    adaptiveFeedback: (options) => Effect.flatMap(learntOf(options.key), (store) => store.adaptiveFeedback(options))
  })
}

type Store = RateLimiter.RateLimiterStore["Service"]

interface Entry {
  /** From here on the quota is full, so nothing is lost with the entry. */
  until: number
}

interface Counter extends Entry {
  count: number
}

interface Bucket extends Entry {
  tokens: number
  refilledAt: number
}

/** Entries in the order of their last use: a `Map` keeps the order in which keys were set. */
class Forgetful<A extends Entry> {
  private readonly entries = new Map<string, A>()
  private readonly maximum: number

  constructor(maximum: number) {
    this.maximum = maximum
  }

  use(key: string, now: number): A | undefined {
    const entry = this.entries.get(key)
    this.entries.delete(key)
    this.forget(now)
    if (entry === undefined || entry.until <= now) return undefined
    this.entries.set(key, entry)
    return entry
  }

  add(key: string, entry: A): A {
    this.entries.set(key, entry)
    return entry
  }

  /** Room for one, and two old ones each time: what a flood has left goes as fast as it came. */
  private forget(now: number): void {
    let looked = 0
    for (const [key, entry] of this.entries) {
      if (this.entries.size < this.maximum && (entry.until > now || looked === 2)) return
      this.entries.delete(key)
      looked++
    }
  }
}

const effectStore: Effect.Effect<Store> = Effect.provide(
  RateLimiter.RateLimiterStore,
  RateLimiter.layerStoreMemory,
  { local: true }
)

const atNow = <A>(run: (nowMillis: number) => A): Effect.Effect<A> =>
  Effect.withFiber((fiber) => Effect.succeed(run(Number(fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()) / 1e6)))
