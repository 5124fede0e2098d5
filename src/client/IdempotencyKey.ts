/**
 * The name of one call that must take effect once, however often it is sent.
 *
 * {@link provide} gives a key to every request made inside: `ClientStack` sends it as `Idempotency-Key`, and its strategy
 * may then repeat a POST. `server/Idempotency` is the other side.
 *
 * The best key is one the work already has, such as the order's id: it survives a restart of this process. {@link generate}
 * makes one where there is none.
 *
 * **Gotchas**
 *
 * - A key belongs to one operation. Two different POSTs inside one `provide` would get the same key, and a correct server
 *   refuses the second (422).
 * - Generate outside whatever repeats: a key made inside a retry is a new operation each time.
 * - It helps only where the server keeps keys; another server performs the work again.
 *
 * @example
 * ```ts
 * import { Effect, Option } from "effect"
 * import { IdempotencyKey } from "effect-lifecycle/client"
 * import assert from "node:assert/strict"
 *
 * const charge = IdempotencyKey.Current // stands for a call through a ClientStack
 *
 * const seen = await Effect.runPromise(charge.pipe(IdempotencyKey.provide("order-42")))
 * assert.deepEqual(seen, Option.some("order-42"))
 * assert.equal((await Effect.runPromise(IdempotencyKey.generate)).length, 36)
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, Option } from "effect"
import { dual } from "effect/Function"
import * as RequestId from "../request/RequestId.ts"
import { InvalidOption } from "../resilience/InvalidOption.ts"

/**
 * The key of the running call; none by default.
 *
 * @category references
 * @since 0.1.0
 */
export const Current = Context.Reference<Option.Option<string>>("effect-lifecycle/client/IdempotencyKey", {
  defaultValue: () => Option.none()
})

/**
 * The request header.
 *
 * @category constants
 * @since 0.1.0
 */
export const header = "idempotency-key"

/**
 * Whether `key` can be sent: 1 to 255 visible ASCII characters.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isKey = (key: string): boolean => /^[\x21-\x7e]{1,255}$/.test(key)

/**
 * Sends `key` with the request made inside `self`. Throws `InvalidOption` when it cannot be sent.
 *
 * @category combinators
 * @since 0.1.0
 */
export const provide: {
  (key: string): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, key: string): Effect.Effect<A, E, R>
} = dual(2, <A, E, R>(self: Effect.Effect<A, E, R>, key: string): Effect.Effect<A, E, R> => {
  if (!isKey(key)) {
    throw new InvalidOption({
      module: "IdempotencyKey.provide",
      option: "key",
      value: JSON.stringify(key),
      allowed: "1 to 255 visible ASCII characters"
    })
  }
  return Effect.provideService(self, Current, Option.some(key))
})

/**
 * A new key: a UUID of version 7, from the fiber's `Random` and `Clock`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const generate: Effect.Effect<string> = RequestId.generate
