/**
 * Whose data it is: the tenant that streams and states belong to when nobody names another.
 *
 * A tenant is part of a stream's identity and of a state's. Inside {@link within} every append, read, version, look-up of a
 * command id and every row of the `StateStore` is that tenant's, down to the children that the effect forks; nothing of
 * another tenant can be seen or reached by its name. Without one the tenant is `""`, which is a tenant like any other.
 *
 * **Gotchas**
 *
 * - `StreamId.tenant` and `ReadAllOptions.tenants` name a tenant outright and so leave the ambient one. Never fill them from
 *   a request.
 * - `EventStore.readAll` reads the ambient tenant; `tenants: "all"` reads across them, which is for the system's own work.
 *   A `Subscription` is such work: it sees every tenant unless it names some.
 * - Idempotency keys are separated by their `scope`, and the names of subscriptions belong to the whole store.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { EventStore, MemoryStore, Tenant } from "effect-lifecycle/store"
 * import assert from "node:assert/strict"
 *
 * const stream = { category: "Order", id: "o-1" }
 * const program = Effect.gen(function*() {
 *   const store = yield* EventStore.EventStore
 *   const place = store.append({ stream, expect: "noStream", events: [{ type: "OrderPlaced", data: {} }] })
 *   yield* place.pipe(Tenant.within("acme"))
 *   return [yield* store.version(stream), yield* store.version(stream).pipe(Tenant.within("acme"))]
 * })
 * assert.deepEqual(await Effect.runPromise(Effect.provide(program, MemoryStore.layer)), [0, 1])
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect } from "effect"
import { dual } from "effect/Function"

/**
 * The ambient tenant; `""` by default.
 *
 * @category references
 * @since 0.1.0
 */
export const Current = Context.Reference<string>("effect-lifecycle/store/Tenant", { defaultValue: () => "" })

/**
 * Runs `self` as the tenant's.
 *
 * @category combinators
 * @since 0.1.0
 */
export const within: {
  (tenant: string): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, tenant: string): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, tenant: string): Effect.Effect<A, E, R> =>
    Effect.provideService(self, Current, tenant)
)
