/**
 * What a limiter over the memory of this process says, without an effect for it.
 *
 * Such a limiter answers at once and is never away. Effect's `RateLimiter` runs ten effects to ask it and makes six
 * durations of the answer, which is what two limits cost every request; here the same counters are asked directly.
 */
import type { RateLimiter } from "effect/persistence"

export interface Asked {
  readonly key: string
  readonly limit: number
  readonly tokens: number
  readonly algorithm: "fixed-window" | "token-bucket"
  readonly windowMillis: number
}

/** What the limiter said. */
export type Taken =
  | { readonly _tag: "Granted"; readonly remaining: number; readonly resetMillis: number }
  | { readonly _tag: "Exceeded"; readonly retryAfterMillis: number }

export interface Counters {
  /** What would be counted with these tokens, and the milliseconds until the count is nought. */
  readonly fixedWindow: (
    asked: Pick<Asked, "key" | "tokens"> & { readonly limit: number | undefined; readonly refillMillis: number },
    nowMillis: number
  ) => readonly [count: number, ttlMillis: number]
  /** The tokens that are left, less than nought where there were too few, and the milliseconds since the last refill. */
  readonly tokenBucket: (
    asked: Pick<Asked, "key" | "tokens" | "limit"> & {
      readonly refillMillis: number
      readonly allowOverflow: boolean
    },
    nowMillis: number
  ) => readonly [remaining: number, elapsedMillis: number]
}

const known = new WeakMap<RateLimiter.RateLimiter, Counters>()

export const set = (limiter: RateLimiter.RateLimiter, counters: Counters): void => void known.set(limiter, counters)

export const get = (limiter: RateLimiter.RateLimiter): Counters | undefined => known.get(limiter)

/** The answer of `RateLimiter.consume` with `onExceeded: "fail"`. */
export const take = (
  counters: Counters,
  { algorithm, key, limit, tokens, windowMillis }: Asked,
  nowMillis: number
): Taken => {
  if (tokens > limit) return { _tag: "Exceeded", retryAfterMillis: windowMillis }
  const refillMillis = windowMillis / limit
  if (algorithm === "fixed-window") {
    const [count, ttl] = counters.fixedWindow({ key, tokens, limit, refillMillis }, nowMillis)
    return count > limit
      ? { _tag: "Exceeded", retryAfterMillis: ttl }
      : { _tag: "Granted", remaining: limit - count, resetMillis: ttl }
  }
  const [remaining, elapsed] = counters.tokenBucket(
    { key, tokens, limit, refillMillis, allowOverflow: false },
    nowMillis
  )
  return remaining < 0
    ? { _tag: "Exceeded", retryAfterMillis: Math.max(0, Math.ceil(-remaining) * refillMillis - elapsed) }
    : {
      _tag: "Granted",
      remaining,
      resetMillis: Math.max(0, Math.ceil(limit - remaining) * refillMillis - elapsed)
    }
}
