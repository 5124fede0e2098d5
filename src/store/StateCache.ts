/**
 * Keeps rows that were read by id, so that the next read of the same row costs no query.
 *
 * It wraps the `StateStore` that is there. A write through it forgets the row: at once outside a transaction, with the
 * commit inside one. Inside a transaction reads always go to the store, so they see the transaction's own writes and no
 * other's. Queries are never cached.
 *
 * **Gotchas**
 *
 * - Writes of other processes are seen when `timeToLive` has passed; keep it short, and check versions when it matters.
 * - The oldest row leaves when `capacity` is reached.
 * - Callers share the cached row: treat it as read-only.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Option, Schema } from "effect"
 * import { MemoryStore, StateCache, StateStore } from "effect-lifecycle/store"
 * import assert from "node:assert/strict"
 *
 * const Users = StateStore.collection({ name: "users", schema: Schema.Struct({ name: Schema.String }) })
 * const program = Effect.gen(function*() {
 *   const store = yield* StateStore.StateStore
 *   yield* store.put(Users, { id: "u-1", version: 1, state: { name: "Alice" } })
 *   yield* store.get(Users, "u-1")
 *   yield* store.put(Users, { id: "u-1", version: 2, state: { name: "Bob" } })
 *   return Option.map(yield* store.get(Users, "u-1"), (row) => row.state.name)
 * })
 *
 * const cached = StateCache.layer({ capacity: 1000, timeToLive: "5 seconds" }).pipe(Layer.provideMerge(MemoryStore.layer))
 * assert.deepEqual(await Effect.runPromise(Effect.provide(program, cached)), Option.some("Bob"))
 * ```
 *
 * @since 0.1.0
 */
import { Clock, type Duration, Effect, Layer, type Option } from "effect"
import { millisOf } from "./internal/duration.ts"
import { type Collection, type Row, StateStore } from "./StateStore.ts"
import * as Tenant from "./Tenant.ts"
import { UnitOfWork } from "./UnitOfWork.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How many rows are kept. */
  readonly capacity: number
  /** How long a row may be served without asking the store. */
  readonly timeToLive: Duration.Input
}

interface Entry {
  readonly collection: object
  readonly row: Option.Option<Row<unknown>>
  readonly expiresAt: number
}

/** A read that is under way; a write meanwhile makes its answer too old to keep. */
interface Load {
  stale: boolean
}

/**
 * `store` with a cache in front of its `get`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  store: StateStore["Service"],
  unit: UnitOfWork["Service"],
  options: Options
): StateStore["Service"] => {
  const timeToLive = millisOf(options.timeToLive)
  const entries = new Map<string, Entry>()
  const loads = new Map<string, Set<Load>>()

  const forget = (key: string) =>
    Effect.sync(() => {
      entries.delete(key)
      for (const load of loads.get(key) ?? []) load.stale = true
    })

  const written = <E>(collection: { readonly name: string }, id: string, write: Effect.Effect<void, E>) =>
    Effect.withFiber((fiber) => {
      const key = keyOf(fiber.getRef(Tenant.Current), collection, id)
      return Effect.flatMap(unit.isOpen, (open) =>
        open
          ? Effect.andThen(write, unit.afterCommit(forget(key)))
          : Effect.ensuring(write, forget(key)))
    })

  const load = <A, I>(collection: Collection<A, I>, id: string, key: string) =>
    Effect.suspend(() => {
      const mine: Load = { stale: false }
      const others = loads.get(key) ?? new Set()
      loads.set(key, others.add(mine))
      return store.get(collection, id).pipe(
        Effect.tap((row) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            if (mine.stale) return
            entries.delete(key)
            entries.set(key, { collection, row, expiresAt: now + timeToLive })
            if (entries.size <= options.capacity) return
            const oldest = entries.keys().next()
            if (oldest.done !== true) entries.delete(oldest.value)
          })
        ),
        Effect.ensuring(Effect.sync(() => {
          others.delete(mine)
          if (others.size === 0) loads.delete(key)
        }))
      )
    })

  return StateStore.of({
    get: <A, I>(collection: Collection<A, I>, id: string) =>
      Effect.flatMap(unit.isOpen, (open) => {
        if (open) return store.get(collection, id)
        return Effect.withFiber((fiber) => {
          const key = keyOf(fiber.getRef(Tenant.Current), collection, id)
          const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
          const entry = entries.get(key)
          // The row was decoded by this very collection, so its state is an `A`.
          return entry !== undefined && entry.collection === collection && now < entry.expiresAt
            ? Effect.succeed(entry.row as Option.Option<Row<A>>)
            : load(collection, id, key)
        })
      }),
    put: (collection, row) => written(collection, row.id, store.put(collection, row)),
    remove: (collection, id) => written(collection, id, store.remove(collection, id)),
    query: store.query
  })
}

/**
 * Puts a cache in front of the `StateStore` below.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<StateStore, never, StateStore | UnitOfWork> =>
  Layer.effect(
    StateStore,
    Effect.gen(function*() {
      return make(yield* StateStore, yield* UnitOfWork, options)
    })
  )

const keyOf = (tenant: string, collection: { readonly name: string }, id: string): string =>
  JSON.stringify([tenant, collection.name, id])
