/** Requests by address, on Effect's `RateLimiter`. */
import { Duration, Effect, Option } from "effect"
import { RateLimiter } from "effect/persistence"
import { AddressLimited } from "../Refusals.ts"
import { limitKey } from "./clientAddress.ts"

/** The memory store keeps every key it has seen. Beyond this many a new one begins, in which everybody has a full bucket. */
const mostAddresses = 100_000

const fresh = Effect.provide(RateLimiter.make, RateLimiter.layerStoreMemory, { local: true })

export interface AddressLimit {
  readonly check: (
    address: string,
    rate: { readonly requests: number; readonly window: Duration.Duration }
  ) => Effect.Effect<void, AddressLimited>
}

/** With the `RateLimiter` of the context where there is one, which may be shared; else with one of this process. */
export const make: Effect.Effect<AddressLimit> = Effect.gen(function*() {
  const shared = Option.getOrUndefined(yield* Effect.serviceOption(RateLimiter.RateLimiter))
  let own = yield* fresh
  let seen = new Set<string>()
  return {
    check: Effect.fnUntraced(function*(address, rate) {
      const key = limitKey(address)
      if (shared === undefined) {
        if (seen.size >= mostAddresses) {
          own = yield* fresh
          seen = new Set()
        }
        seen.add(key)
      }
      yield* (shared ?? own).consume({
        key: `gateway ${key}`,
        limit: rate.requests,
        window: rate.window,
        algorithm: "token-bucket",
        onExceeded: "fail"
      }).pipe(Effect.catch((error) =>
        // A store that is away must not close the door: this limit is a coarse one, and others are further in.
        error.reason._tag === "RateLimitExceeded"
          ? Effect.fail(
            new AddressLimited({
              limit: rate.requests,
              windowSeconds: Duration.toSeconds(rate.window),
              retryAfterMillis: Duration.toMillis(error.reason.retryAfter)
            })
          )
          : Effect.void
      ))
    })
  }
})
