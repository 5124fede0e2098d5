/** Requests by address, on Effect's `RateLimiter`. */
import { Duration, Effect, Option } from "effect"
import { RateLimiter } from "effect/persistence"
import * as RateLimiterStore from "../../resilience/RateLimiterStore.ts"
import { networkOf } from "../../server/TrustedHops.ts"
import { AddressLimited } from "../Refusals.ts"

export interface AddressLimit {
  readonly check: (
    address: string,
    rate: { readonly requests: number; readonly window: Duration.Duration }
  ) => Effect.Effect<void, AddressLimited>
}

/** With the `RateLimiter` of the context where there is one, which may be shared; else with one of this process. */
export const make: Effect.Effect<AddressLimit> = Effect.gen(function*() {
  const limiter = Option.getOrUndefined(yield* Effect.serviceOption(RateLimiter.RateLimiter)) ??
    (yield* Effect.provide(RateLimiter.RateLimiter, RateLimiterStore.layerMemory(), { local: true }))
  return {
    check: (address, rate) =>
      limiter.consume({
        key: `gateway ${networkOf(address)}`,
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
  }
})
