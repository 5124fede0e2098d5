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
import { EventStore } from "./EventStore.ts"
import { IdempotencyStore } from "./IdempotencyStore.ts"
import { Database } from "./internal/memory/Database.ts"
import * as EventStoreMemory from "./internal/memory/EventStoreMemory.ts"
import * as IdempotencyStoreMemory from "./internal/memory/IdempotencyStoreMemory.ts"
import * as StateStoreMemory from "./internal/memory/StateStoreMemory.ts"
import * as SubscriptionsMemory from "./internal/memory/SubscriptionsMemory.ts"
import * as subscriptions from "./internal/subscriptions.ts"
import { StateStore } from "./StateStore.ts"
import { Subscriptions } from "./Subscription.ts"
import { UnitOfWork } from "./UnitOfWork.ts"

/**
 * The four stores and their subscriptions over one new, empty database.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<EventStore | StateStore | IdempotencyStore | UnitOfWork | Subscriptions> = Layer
  .effectContext(
    Effect.sync(() => {
      const database = new Database()
      const events = EventStoreMemory.make(database)
      const unit = UnitOfWork.of({ run: database.run, afterCommit: database.afterCommit, isOpen: database.isOpen })
      return Context.make(EventStore, events).pipe(
        Context.add(StateStore, StateStoreMemory.make(database)),
        Context.add(IdempotencyStore, IdempotencyStoreMemory.make(database)),
        Context.add(UnitOfWork, unit),
        Context.add(Subscriptions, subscriptions.make(SubscriptionsMemory.make(database), events, unit))
      )
    })
  )
