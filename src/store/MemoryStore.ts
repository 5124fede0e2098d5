/**
 * All stores and subscriptions in the memory of this process, for tests and examples.
 *
 * One layer is one database: events, current state and idempotency records share its transactions. Transactions run one
 * at a time; a failure, a defect or an interruption inside one leaves nothing behind, and readers outside see only what is
 * committed. It passes the same contract suite as the PostgreSQL layer.
 *
 * **Gotchas**
 *
 * - For tests and examples only: everything is gone when the layer's scope closes, and no other process sees it.
 * - Time is the `Clock`, so a `TestClock` moves leases and time stamps.
 * - An append copies the whole log: fine for thousands of events, slow for millions.
 * - A write from another fiber waits for the open transaction. Waiting for such a fiber inside the transaction waits for
 *   ever; children that the transaction forks itself join it.
 *
 * @example
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { EventStore, MemoryStore } from "effect-lifecycle/store"
 * import assert from "node:assert/strict"
 *
 * const stream = { category: "Order", id: "o-1" }
 * const program = Effect.gen(function*() {
 *   const store = yield* EventStore.EventStore
 *   yield* store.append({ stream, expect: "noStream", events: [{ type: "Placed", data: { total: 5 } }] })
 *   const second = yield* store.append({ stream, expect: "noStream", events: [{ type: "Placed", data: { total: 7 } }] })
 *   const events = yield* Stream.runCollect(store.read(stream))
 *   return { second, events: events.map((event) => [event.version, event.type, event.data]) }
 * })
 *
 * const { events, second } = await Effect.runPromise(Effect.provide(program, MemoryStore.layer))
 * assert.deepEqual(second, { _tag: "Conflict", expected: "noStream", actual: 1 })
 * assert.deepEqual(events, [[1, "Placed", { total: 5 }]])
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, Layer } from "effect"
import { Archive } from "./Archive.ts"
import { DynamicConsistencyBoundary } from "./DynamicConsistencyBoundary.ts"
import { EventStore } from "./EventStore.ts"
import { IdempotencyStore } from "./IdempotencyStore.ts"
import { Inbox } from "./Inbox.ts"
import * as boundary from "./internal/boundary.ts"
import * as inbox from "./internal/outbox/inbox.ts"
import * as Background from "./internal/background.ts"
import * as ArchiveMemory from "./internal/memory/ArchiveMemory.ts"
import * as BoundaryMemory from "./internal/memory/BoundaryMemory.ts"
import { Database } from "./internal/memory/Database.ts"
import * as EventStoreMemory from "./internal/memory/EventStoreMemory.ts"
import * as IdempotencyStoreMemory from "./internal/memory/IdempotencyStoreMemory.ts"
import * as InboxMemory from "./internal/memory/InboxMemory.ts"
import * as OutboxMemory from "./internal/memory/OutboxMemory.ts"
import * as SagasMemory from "./internal/memory/SagasMemory.ts"
import * as SnapshotsMemory from "./internal/memory/SnapshotsMemory.ts"
import * as ProjectionsMemory from "./internal/memory/ProjectionsMemory.ts"
import * as StateStoreMemory from "./internal/memory/StateStoreMemory.ts"
import * as SubjectKeysMemory from "./internal/memory/SubjectKeysMemory.ts"
import * as SubscriptionsMemory from "./internal/memory/SubscriptionsMemory.ts"
import * as outbox from "./internal/outbox/outbox.ts"
import * as projections from "./internal/projection/projections.ts"
import * as sagas from "./internal/saga/sagas.ts"
import * as subscriptions from "./internal/subscription/subscriptions.ts"
import { Outbox } from "./Outbox.ts"
import { Projections } from "./Projection.ts"
import { SagaStore } from "./SagaStore.ts"
import { Snapshots } from "./Snapshots.ts"
import { StateStore } from "./StateStore.ts"
import { SubjectKeys } from "./SubjectKeys.ts"
import { Subscriptions } from "./Subscription.ts"
import { UnitOfWork } from "./UnitOfWork.ts"

/**
 * The four stores and their subscriptions over one new, empty database.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<
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
  | Archive
> = Layer
  .effectContext(
    Effect.gen(function*() {
      const background = yield* Background.make(64)
      const database = new Database()
      const events = EventStoreMemory.make(database)
      const unit = UnitOfWork.of({ run: database.run, afterCommit: database.afterCommit, isOpen: database.isOpen })
      const states = StateStoreMemory.make(database)
      const subscriptionBackend = SubscriptionsMemory.make(database)
      const subscribing = subscriptions.make(subscriptionBackend, events, unit)
      const decisions = boundary.make(BoundaryMemory.make(database))
      const projecting = projections.make({
        backend: ProjectionsMemory.make(database),
        subscriptions: subscribing,
        subscriptionBackend,
        store: events,
        boundary: decisions,
        states,
        unit
      })
      return Context.make(EventStore, events).pipe(
        Context.add(StateStore, states),
        Context.add(IdempotencyStore, IdempotencyStoreMemory.make(database)),
        Context.add(UnitOfWork, unit),
        Context.add(Snapshots, SnapshotsMemory.make(database, background)),
        Context.add(SubjectKeys, SubjectKeysMemory.make(database)),
        Context.add(Archive, ArchiveMemory.make(database)),
        Context.add(Outbox, outbox.make(OutboxMemory.make(database), unit)),
        Context.add(SagaStore, sagas.make(SagasMemory.make(database), unit)),
        Context.add(DynamicConsistencyBoundary, decisions),
        Context.add(Inbox, inbox.make(InboxMemory.make(database), unit)),
        Context.add(Subscriptions, subscribing.service),
        Context.add(Projections, projecting)
      )
    })
  )
