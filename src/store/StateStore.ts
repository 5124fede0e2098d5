/**
 * The current state of aggregates, written by the command's own transaction and read by queries.
 *
 * A collection is declared once, with the fields that are indexed; only those can be filtered and sorted by, so no query
 * is slow by accident. Rows carry the version of their stream, which is what an `ETag` shows. They belong to the ambient
 * `Tenant`, which sees no others.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { MemoryStore, StateStore } from "effect-lifecycle/store"
 * import assert from "node:assert/strict"
 *
 * const orders = StateStore.collection({
 *   name: "orders",
 *   schema: Schema.Struct({ userId: Schema.String, total: Schema.Int }),
 *   indexes: ["userId"]
 * })
 * const program = Effect.gen(function*() {
 *   const store = yield* StateStore.StateStore
 *   yield* store.put(orders, { id: "o-1", version: 1, state: { userId: "u-1", total: 5 } })
 *   yield* store.put(orders, { id: "o-2", version: 1, state: { userId: "u-2", total: 7 } })
 *   return yield* store.query(orders, { where: { userId: "u-2" } })
 * })
 * const page = await Effect.runPromise(Effect.provide(program, MemoryStore.layer))
 * assert.deepEqual(page.rows.map((row) => row.id), ["o-2"])
 * ```
 *
 * @since 0.1.0
 */
import { Context, type Effect, type Option, Schema } from "effect"
import type { StoreUnavailable } from "./UnitOfWork.ts"

/**
 * A declared collection of current states.
 *
 * @category models
 * @since 0.1.0
 */
export interface Collection<A, Encoded = unknown> {
  readonly name: string
  readonly schema: Schema.Codec<A, Encoded>
  /** Top-level fields of the encoded state that may be filtered and sorted by. */
  readonly indexes: ReadonlyArray<string>
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Row<A> {
  readonly id: string
  readonly version: number
  readonly state: A
}

/**
 * @category models
 * @since 0.1.0
 */
export interface QueryOptions {
  /** Equality on indexed fields; all must hold. */
  readonly where?: Readonly<Record<string, string | number | boolean>> | undefined
  /** An indexed field; rows with equal values are ordered by id. By id when absent. */
  readonly orderBy?: string | undefined
  readonly direction?: "ascending" | "descending" | undefined
  /** 1 to 1000; 25 when absent. */
  readonly limit?: number | undefined
  /** The `next` of the page before. */
  readonly cursor?: string | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Page<A> {
  readonly rows: ReadonlyArray<Row<A>>
  /** The cursor of the next page; absent on the last. */
  readonly next: string | undefined
}

/**
 * A query that could not be run as asked.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidQuery extends Schema.TaggedError<InvalidQuery>()("InvalidQuery", {
  collection: Schema.String,
  field: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `Invalid query of "${this.collection}": ${this.field} ${this.reason}`
  }
}

/**
 * Declares a collection.
 *
 * @category constructors
 * @since 0.1.0
 */
export const collection = <A, Encoded>(options: {
  readonly name: string
  readonly schema: Schema.Codec<A, Encoded>
  readonly indexes?: ReadonlyArray<keyof Encoded & string> | undefined
}): Collection<A, Encoded> => ({ name: options.name, schema: options.schema, indexes: options.indexes ?? [] })

/**
 * @category services
 * @since 0.1.0
 */
export class StateStore extends Context.Service<StateStore, {
  readonly get: <A, I>(
    collection: Collection<A, I>,
    id: string
  ) => Effect.Effect<Option.Option<Row<A>>, StoreUnavailable>
  readonly put: <A, I>(collection: Collection<A, I>, row: Row<A>) => Effect.Effect<void, StoreUnavailable>
  readonly remove: <A, I>(collection: Collection<A, I>, id: string) => Effect.Effect<void, StoreUnavailable>
  readonly query: <A, I>(
    collection: Collection<A, I>,
    options?: QueryOptions
  ) => Effect.Effect<Page<A>, StoreUnavailable | InvalidQuery>
}>()("effect-lifecycle/store/StateStore") {}
