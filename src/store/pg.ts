/**
 * All stores and subscriptions over PostgreSQL.
 *
 * The layer asks only for a `SqlClient` of the PostgreSQL dialect, in practice `PgClient` of `@effect/sql-pg`. It brings
 * its schema up to date when it is built (several processes may start at once), and from then on an append is one
 * statement and one round trip: outside `UnitOfWork.run` it commits by itself, inside it joins the open transaction. A
 * conflict comes back as data and leaves the transaction usable.
 *
 * Outside a transaction, appends that come while others are on the way share the next statement and its commit: with
 * sixteen callers several times as many a second, and nothing waits for a timer. Each caller is answered after the commit,
 * with its own result; a conflict or an append that PostgreSQL refuses is its caller's alone. Appends to one stream go one
 * after another, in the order in which they came. An append of more than 32 events has a statement of its own, and with
 * `coalesce: false` every append has.
 *
 * **Gotchas**
 *
 * - One schema is one store. Services that share a database need a `schema` each.
 * - `StoreUnavailable` says that the server was away, starting, full, or undid the work to break a deadlock. Everything
 *   else that SQL can raise is a defect.
 * - `readAll` sees positions as they are committed: while a writer is still open, a later position can be visible before an
 *   earlier one. Reading on from the highest position seen can miss events; that is what `Subscription` is for.
 * - A caller that is interrupted while its append waits takes it back; once it is on the way it may still be stored.
 * - When the connection is lost, every append of the statement on it is `StoreUnavailable`, stored or not: repeat it under
 *   the same command id.
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
import { Archive } from "./Archive.ts"
import { DynamicConsistencyBoundary } from "./DynamicConsistencyBoundary.ts"
import { EventStore } from "./EventStore.ts"
import { IdempotencyStore } from "./IdempotencyStore.ts"
import { Inbox } from "./Inbox.ts"
import * as Background from "./internal/background.ts"
import * as boundary from "./internal/boundary.ts"
import { millisOf } from "./internal/duration.ts"
import * as inbox from "./internal/outbox/inbox.ts"
import * as outbox from "./internal/outbox/outbox.ts"
import type * as Coalescer from "./internal/pg/Coalescer.ts"
import * as ArchivePg from "./internal/pg/ArchivePg.ts"
import * as BoundaryPg from "./internal/pg/BoundaryPg.ts"
import * as bypasses from "./internal/pg/bypasses.ts"
import * as EventStorePg from "./internal/pg/EventStorePg.ts"
import * as HighWaterPg from "./internal/pg/HighWaterPg.ts"
import * as IdempotencyStorePg from "./internal/pg/IdempotencyStorePg.ts"
import * as InboxPg from "./internal/pg/InboxPg.ts"
import * as OutboxPg from "./internal/pg/OutboxPg.ts"
import * as SagasPg from "./internal/pg/SagasPg.ts"
import { invalidSchema } from "./internal/pg/schemaName.ts"
import * as SnapshotsPg from "./internal/pg/SnapshotsPg.ts"
import * as StateStorePg from "./internal/pg/StateStorePg.ts"
import * as SubjectKeysPg from "./internal/pg/SubjectKeysPg.ts"
import * as ProjectionsPg from "./internal/pg/ProjectionsPg.ts"
import * as SubscriptionsPg from "./internal/pg/SubscriptionsPg.ts"
import * as UnitOfWorkPg from "./internal/pg/UnitOfWorkPg.ts"
import * as WakeUp from "./internal/pg/WakeUp.ts"
import * as projections from "./internal/projection/projections.ts"
import * as sagas from "./internal/saga/sagas.ts"
import * as subscriptions from "./internal/subscription/subscriptions.ts"
import { uuid } from "./internal/uuid.ts"
import * as Migrations from "./migrations/Migrations.ts"
import { Outbox } from "./Outbox.ts"
import { Projections } from "./Projection.ts"
import { SagaStore } from "./SagaStore.ts"
import { Snapshots } from "./Snapshots.ts"
import * as StateCache from "./StateCache.ts"
import { StateStore } from "./StateStore.ts"
import { SubjectKeys } from "./SubjectKeys.ts"
import { Subscriptions } from "./Subscription.ts"
import { type StoreUnavailable, UnitOfWork } from "./UnitOfWork.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The schema that holds the store's tables; `es` when absent. Lower case letters, digits and underscores. */
  readonly schema?: string | undefined
  /** Brings the schema up to date first; true when absent. When false, a schema that is not up to date is an error. */
  readonly migrate?: boolean | undefined
  /** Collections whose indexes are made before the layer is ready; those of others are made at their first query. */
  readonly collections?: ReadonlyArray<{ readonly name: string; readonly indexes: ReadonlyArray<string> }> | undefined
  /** Puts a {@link StateCache} in front of the reads by id; none when absent. */
  readonly cache?: StateCache.Options | undefined
  /** Tells subscriptions of other processes about appends, with a `NOTIFY` at most every 10 ms; true when absent. */
  readonly notify?: boolean | undefined
  /**
   * Hears what other processes tell: on one connection of the pool, while a subscription, an outbox worker or a saga wants to
   * hear, and only where the pool has three or more. True when absent.
   */
  readonly listen?: boolean | undefined
  /** How appends that come at the same time share statements; as {@link Coalesce} says when absent, `false` never. */
  readonly coalesce?: boolean | Coalesce | undefined
  /** How long an append can stay unnoticed when nothing told of it; 500 ms when absent, 10 ms at least. */
  readonly pollEvery?: Duration.Input | undefined
}

/**
 * How appends share statements.
 *
 * @category models
 * @since 0.1.0
 */
export interface Coalesce {
  /** Statements on the way at once, 1 to 32; 2 when absent. Each takes a connection of the pool. */
  readonly statements?: number | undefined
  /** Appends in one statement at most, 1 to 5000; 500 when absent. */
  readonly batch?: number | undefined
  /** Appends that wait as text for their statement, at least 1; 10000 when absent. Callers beyond wait before that. */
  readonly queue?: number | undefined
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
  | EventStore
  | StateStore
  | IdempotencyStore
  | UnitOfWork
  | Subscriptions
  | Projections
  | Outbox
  | SagaStore
  | Inbox
  | DynamicConsistencyBoundary
  | Snapshots
  | SubjectKeys
  | Archive,
  StoreUnavailable | Migrator.MigrationError | InvalidOption,
  SqlClient.SqlClient
> =>
  Layer.effectContext(Effect.gen(function*() {
    const { cache, collections = [], listen = true, migrate = true, notify = true, pollEvery = 500, schema = "es" } =
      options
    const refused = invalidSchema("PgStore.layer", schema)
    if (refused !== undefined) return yield* refused
    const coalescing = yield* coalescingOf(options.coalesce)
    const sql = yield* SqlClient.SqlClient
    yield* migrate ? Migrations.run(sql, schema) : Migrations.check(sql, schema)
    const quoted = `"${schema}"` // so that a reserved word, such as "user", is a name too
    yield* StateStorePg.ensureIndexes(sql, quoted, collections, indexWaitMillis)
    const unit = UnitOfWorkPg.make(sql)
    const states = StateStorePg.make(sql, quoted)
    const token = yield* Effect.withFiber((fiber) => Effect.succeed(uuid(fiber)))
    const pollMillis = Math.max(10, millisOf(pollEvery))
    const wakeUp = yield* WakeUp.make(sql, { schema, token, notify, listen, pollMillis })
    const highWater = HighWaterPg.make(sql, quoted, pollMillis)
    yield* Effect.forkScoped(highWater.follow)
    const bypassing = bypasses.make(sql, quoted)
    yield* Effect.forkScoped(bypassing.watch)
    const appended = () => {
      bypassing.appended()
      highWater.wake()
      wakeUp.events.announce()
    }
    const events = yield* EventStorePg.make(sql, quoted, appended, coalescing)
    // The names of channels end at 63 bytes, those of schemas at 48.
    const messages = OutboxPg.make(sql, quoted, wakeUp.outbox)
    const processes = SagasPg.make(sql, quoted, wakeUp.sagas)
    const subscriptionBackend = SubscriptionsPg.make(sql, quoted, highWater, wakeUp.events)
    const subscribing = subscriptions.make(subscriptionBackend, events, unit)
    const decisions = boundary.make(BoundaryPg.make(sql, quoted, unit, appended))
    const projecting = projections.make({
      backend: ProjectionsPg.make(sql, quoted, bypassing.keeps),
      subscriptions: subscribing,
      subscriptionBackend,
      store: events,
      boundary: decisions,
      states,
      unit
    })
    return Context.make(EventStore, events).pipe(
      Context.add(StateStore, cache === undefined ? states : StateCache.make(states, unit, cache)),
      Context.add(IdempotencyStore, IdempotencyStorePg.make(sql, quoted)),
      Context.add(UnitOfWork, unit),
      Context.add(Snapshots, SnapshotsPg.make(sql, quoted, yield* Background.make(64))),
      Context.add(SubjectKeys, SubjectKeysPg.make(sql, quoted)),
      Context.add(Archive, ArchivePg.make(sql, quoted)),
      Context.add(Outbox, outbox.make(messages, unit)),
      Context.add(SagaStore, sagas.make(processes, unit)),
      Context.add(DynamicConsistencyBoundary, decisions),
      Context.add(Inbox, inbox.make(InboxPg.make(sql, quoted), unit)),
      Context.add(Subscriptions, subscribing.service),
      Context.add(Projections, projecting)
    )
  }))

/** Characters of payload in one statement: what a round trip carries without holding up the others. */
const batchBytes = 1_000_000

const coalescingOf = (
  coalesce: boolean | Coalesce = true
): Effect.Effect<Coalescer.Options | undefined, InvalidOption> => {
  if (coalesce === false) return Effect.undefined
  const { batch = 500, queue = 10_000, statements = 2 } = coalesce === true ? {} : coalesce
  const limits = [["statements", statements, 32], ["batch", batch, 5000], ["queue", queue, Infinity]] as const
  for (const [option, value, most] of limits) {
    if (!(Number.isInteger(value) && value >= 1 && value <= most)) {
      return Effect.fail(
        new InvalidOption({
          module: "PgStore.layer",
          option: `coalesce.${option}`,
          value: String(value),
          allowed: most === Infinity ? "a whole number from 1" : `a whole number from 1 to ${most}`
        })
      )
    }
  }
  return Effect.succeed({ batch, batchBytes, queue, statements })
}
