/**
 * All stores and subscriptions over PostgreSQL.
 *
 * The layer asks only for a `SqlClient` of the PostgreSQL dialect, in practice `PgClient` of `@effect/sql-pg`. It brings
 * its schema up to date when it is built (several processes may start at once), and from then on an append is one
 * statement and one round trip: outside `UnitOfWork.run` it commits by itself, inside it joins the open transaction. A
 * conflict comes back as data and leaves the transaction usable.
 *
 * **Gotchas**
 *
 * - One schema is one store. Services that share a database need a `schema` each.
 * - `StoreUnavailable` says that the server was away, starting, full, or undid the work to break a deadlock. Everything
 *   else that SQL can raise is a defect.
 * - `readAll` sees positions as they are committed: while a writer is still open, a later position can be visible before an
 *   earlier one. Reading on from the highest position seen can miss events; that is what `Subscription` is for.
 * - Index only short fields: PostgreSQL refuses index entries above about 2700 bytes, and a `put` with one dies.
 * - Strings sort as the database's collation says, names and ids by code point.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import { SqlClient } from "effect/sql"
 * import { StateStore } from "effect-lifecycle/store"
 * import * as PgStore from "effect-lifecycle/store/pg"
 * import assert from "node:assert/strict"
 *
 * const Orders = StateStore.collection({
 *   name: "orders",
 *   schema: Schema.Struct({ userId: Schema.String, status: Schema.String }),
 *   indexes: ["userId", "status"]
 * })
 * const store = PgStore.layer({ schema: "orders", collections: [Orders] })
 * // In a service: store.pipe(Layer.provide(PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })))
 *
 * const invalid = PgStore.layer({ schema: "not a name" }).pipe(
 *   Layer.provide(Layer.succeed(SqlClient.SqlClient, {} as SqlClient.SqlClient))
 * )
 * assert.ok(Layer.isLayer(store))
 * await assert.rejects(Effect.runPromise(Effect.scoped(Layer.build(invalid))), /schema must be/)
 * ```
 *
 * @since 0.1.0
 */
import { Context, type Duration, Effect, Layer } from "effect"
import { type Migrator, SqlClient } from "effect/sql"
import { InvalidOption } from "../resilience/InvalidOption.ts"
import { EventStore } from "./EventStore.ts"
import { IdempotencyStore } from "./IdempotencyStore.ts"
import { millisOf } from "./internal/duration.ts"
import * as EventStorePg from "./internal/pg/EventStorePg.ts"
import * as HighWaterPg from "./internal/pg/HighWaterPg.ts"
import * as IdempotencyStorePg from "./internal/pg/IdempotencyStorePg.ts"
import * as StateStorePg from "./internal/pg/StateStorePg.ts"
import * as SubscriptionsPg from "./internal/pg/SubscriptionsPg.ts"
import * as UnitOfWorkPg from "./internal/pg/UnitOfWorkPg.ts"
import * as WakeUp from "./internal/pg/WakeUp.ts"
import * as subscriptions from "./internal/subscriptions.ts"
import { uuid } from "./internal/uuid.ts"
import * as Migrations from "./migrations/Migrations.ts"
import * as StateCache from "./StateCache.ts"
import { StateStore } from "./StateStore.ts"
import { Subscriptions } from "./Subscription.ts"
import { type StoreUnavailable, UnitOfWork } from "./UnitOfWork.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The schema that holds the store's tables; `es` when absent. Lower case letters, digits and underscores. */
  readonly schema?: string | undefined
  /** Brings the schema up to date first; true when absent. */
  readonly migrate?: boolean | undefined
  /** Collections whose indexes are made before the layer is ready; those of others are made at their first query. */
  readonly collections?: ReadonlyArray<{ readonly name: string; readonly indexes: ReadonlyArray<string> }> | undefined
  /** Puts a {@link StateCache} in front of the reads by id; none when absent. */
  readonly cache?: StateCache.Options | undefined
  /** Tells subscriptions of other processes about appends, with a `NOTIFY` at most every 10 ms; true when absent. */
  readonly notify?: boolean | undefined
  /** Hears what other processes tell, on a connection of the pool, once a subscription runs here; true when absent. */
  readonly listen?: boolean | undefined
  /** How long an append can stay unnoticed when nothing told of it; 500 ms when absent, 10 ms at least. */
  readonly pollEvery?: Duration.Input | undefined
}

/** How long starting waits for the writers that are in the way of a new index. */
const indexWaitMillis = 30_000

/**
 * The four stores and their subscriptions in one schema of the database behind `SqlClient`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Options = {}
): Layer.Layer<
  EventStore | StateStore | IdempotencyStore | UnitOfWork | Subscriptions,
  StoreUnavailable | Migrator.MigrationError | InvalidOption,
  SqlClient.SqlClient
> =>
  Layer.effectContext(Effect.gen(function*() {
    const { cache, collections = [], listen = true, migrate = true, notify = true, pollEvery = 500, schema = "es" } =
      options
    if (!/^[a-z_][a-z0-9_]{0,47}$/.test(schema) || schema.startsWith("pg_")) {
      return yield* new InvalidOption({
        module: "PgStore.layer",
        option: "schema",
        value: JSON.stringify(schema),
        allowed: "1 to 48 lower case letters, digits and underscores, not starting with a digit or pg_"
      })
    }
    const sql = yield* SqlClient.SqlClient
    if (migrate) yield* Migrations.run(sql, schema)
    const quoted = `"${schema}"` // so that a reserved word, such as "user", is a name too
    yield* StateStorePg.ensureIndexes(sql, quoted, collections, indexWaitMillis)
    const unit = UnitOfWorkPg.make(sql)
    const states = StateStorePg.make(sql, quoted)
    const token = yield* Effect.withFiber((fiber) => Effect.succeed(uuid(fiber)))
    const wakeUp = WakeUp.make(sql, schema, token)
    const highWater = HighWaterPg.make(sql, quoted, Math.max(10, millisOf(pollEvery)))
    yield* Effect.forkScoped(highWater.follow)
    if (notify) yield* Effect.forkScoped(wakeUp.send)
    if (listen) yield* Effect.forkScoped(Effect.andThen(highWater.started, wakeUp.listen(highWater.wake)))
    const events = EventStorePg.make(sql, quoted, () => {
      highWater.wake()
      wakeUp.appended()
    })
    return Context.make(EventStore, events).pipe(
      Context.add(StateStore, cache === undefined ? states : StateCache.make(states, unit, cache)),
      Context.add(IdempotencyStore, IdempotencyStorePg.make(sql, quoted)),
      Context.add(UnitOfWork, unit),
      Context.add(Subscriptions, subscriptions.make(SubscriptionsPg.make(sql, quoted, highWater), events, unit))
    )
  }))
