/** What the adapter is accepted as; checked by tsc alone. */
import { HttpClient } from "effect/http"
import type { CircuitBreaker as EffectBreaker } from "effect/persistence"
import type * as CircuitBreaker from "effect-lifecycle/resilience/CircuitBreaker"
import * as CircuitBreakerAdapter from "effect-lifecycle/resilience/CircuitBreakerAdapter"

declare const own: CircuitBreaker.CircuitBreaker

export const breaker: EffectBreaker.CircuitBreaker = CircuitBreakerAdapter.make(own)

export const guarded = HttpClient.withCircuitBreaker({ breaker: CircuitBreakerAdapter.make(own) })

// @ts-expect-error our own breaker is not Effect's: it takes the key as an argument and has states that Effect has not
export const unadapted = HttpClient.withCircuitBreaker({ breaker: own })
