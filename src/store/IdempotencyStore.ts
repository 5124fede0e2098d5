/**
 * Remembers the answer to a request that carried an idempotency key.
 *
 * A key belongs to a scope (the caller and the operation) and to the fingerprint of its payload. The first request claims
 * it; the same request again gets the stored answer; another payload under the same key is a mismatch; the same key while
 * the first is still running is in progress. A claim is a lease: when its holder dies, the key is free again after
 * `lease`. An answer is kept for `timeToLive`. What has expired is free for the next claim, and stays stored until `prune`
 * removes it: run that now and then, such as once an hour.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { IdempotencyStore, MemoryStore } from "effect-lifecycle/store"
 * import assert from "node:assert/strict"
 *
 * const key = { scope: "alice POST /orders", key: "k-1" }
 * const options = { fingerprint: "hash of the payload", lease: "30 seconds", timeToLive: "1 day" } as const
 * const program = Effect.gen(function*() {
 *   const store = yield* IdempotencyStore.IdempotencyStore
 *   const first = yield* store.claim(key, options)
 *   if (first._tag === "Claimed") yield* store.complete(key, first.token, "order o-1")
 *   return yield* store.claim(key, options)
 * })
 * const second = await Effect.runPromise(Effect.provide(program, MemoryStore.layer))
 * assert.deepEqual(second, { _tag: "Completed", answer: "order o-1" })
 * ```
 *
 * @since 0.1.0
 */
import { Context, type Duration, type Effect } from "effect"
import type { StoreUnavailable } from "./UnitOfWork.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Key {
  readonly scope: string
  readonly key: string
}

/**
 * @category models
 * @since 0.1.0
 */
export type Claim =
  | { readonly _tag: "Claimed"; readonly token: string }
  | { readonly _tag: "Completed"; readonly answer: string }
  | { readonly _tag: "InProgress" }
  | { readonly _tag: "Mismatch" }

/**
 * @category services
 * @since 0.1.0
 */
export class IdempotencyStore extends Context.Service<IdempotencyStore, {
  readonly claim: (key: Key, options: {
    readonly fingerprint: string
    /** How long a claim holds when its owner is not heard of again. */
    readonly lease: Duration.Input
    /** How long a completed answer is kept. */
    readonly timeToLive: Duration.Input
  }) => Effect.Effect<Claim, StoreUnavailable>
  /** Stores the answer; joins the open transaction. `false` when the lease was lost to another. */
  readonly complete: (key: Key, token: string, answer: string) => Effect.Effect<boolean, StoreUnavailable>
  /** Gives the key back without an answer. */
  readonly release: (key: Key, token: string) => Effect.Effect<void, StoreUnavailable>
  /**
   * Removes the claims and answers that expired longer ago than `expiredFor`, a day when absent, and answers how many. A
   * holder that outlived its lease by that time can no longer store its answer.
   */
  readonly prune: (
    options?: { readonly expiredFor?: Duration.Input | undefined }
  ) => Effect.Effect<number, StoreUnavailable>
}>()("effect-lifecycle/store/IdempotencyStore") {}
