/** A dead letter is of an event that nothing has handled: it keeps the event, and is given up only when somebody says so. */
import { assert, describe, it as plainIt, layer as testLayer } from "@effect/vitest"
import { Effect, Layer, Schedule, Stream } from "effect"
import { Archive, EventStore, MemoryStore, Subscription, UnitOfWork } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { SqlClient } from "effect/sql"
import { Database } from "../../src/store/internal/memory/Database.ts"
import * as EventStoreMemory from "../../src/store/internal/memory/EventStoreMemory.ts"
import * as SubscriptionsMemory from "../../src/store/internal/memory/SubscriptionsMemory.ts"
import * as subscriptions from "../../src/store/internal/subscription/subscriptions.ts"
import { pgTest } from "../postgres.ts"
import { append, fresh, reach, run, statusOf } from "./subscriptionContract.ts"

const all = Subscription.Subscriptions

/** A subscription that has skipped the first event of a stream of three, the last of which sums the others up. */
const skipped = Effect.gen(function*() {
  const { category, name, type } = fresh()
  yield* append(category, "a", type, 2)
  const last = yield* append(category, "a", "Sum")
  yield* run({
    name,
    categories: [category],
    poison: "skip",
    retry: Schedule.recurs(0),
    handle: ({ version }) => version === 1 ? Effect.fail("cannot take it") : Effect.void
  })
  yield* reach(name, last)
  const [letter] = yield* all.use((each) => each.deadLetters(name))
  return { name, stream: { category, id: "a" }, position: letter?.position ?? assert.fail("no dead letter") }
})

const truncate = (stream: EventStore.StreamId) =>
  Archive.Archive.use((archive) => archive.truncate(stream, { before: 3, keeps: { summary: "Sum" } }))

const Pg = PgStore.layer().pipe(Layer.provideMerge(pgTest({ client: { maxConnections: 20 } })))
for (const [title, stored] of [["MemoryStore", MemoryStore.layer], ["PgStore", Pg]] as const) {
  describe(title, () => {
    testLayer(Layer.fresh(stored), { excludeTestServices: true, timeout: "60 seconds" })("redelivered", (it) => {
      it.effect("a truncation of its stream, and of no other, is refused until the letter is redelivered", () =>
        Effect.gen(function*() {
          const { name, position, stream } = yield* skipped
          const { category, type } = fresh()
          yield* append(category, "b", type, 2)
          yield* reach(name, yield* append(category, "b", "Sum"))
          // A checkpoint follows what the subscription leaves out within a second.
          yield* Effect.retry(truncate({ category, id: "b" }), { schedule: Schedule.spaced("50 millis"), times: 100 })
          const refused = yield* Effect.flip(truncate(stream))
          assert.strictEqual(refused._tag, "CannotTruncate")
          assert.include(
            refused.message,
            `an event before it is a dead letter of the subscription "${name}"; redeliver or discard it first`
          )
          let handled = 0
          assert.isTrue(
            yield* all.use((each) =>
              each.redeliver(name, position, ({ version }) => Effect.sync(() => handled = version))
            )
          )
          assert.strictEqual(handled, 1)
          assert.strictEqual(yield* truncate(stream), 2)
        }))
    })
    testLayer(Layer.fresh(stored), { excludeTestServices: true, timeout: "60 seconds" })("discarded", (it) => {
      it.effect("a truncation is refused until the letter is discarded", () =>
        Effect.gen(function*() {
          const { name, position, stream } = yield* skipped
          assert.strictEqual((yield* Effect.flip(truncate(stream)))._tag, "CannotTruncate")
          assert.isFalse(yield* all.use((each) => each.discard(name, position + 1n)))
          assert.isFalse(yield* all.use((each) => each.discard("nobody", position)))
          assert.isTrue(yield* all.use((each) => each.discard(name, position)))
          assert.isFalse(yield* all.use((each) => each.discard(name, position)))
          assert.strictEqual((yield* statusOf(name))?.deadLetters, 0)
          assert.strictEqual(yield* truncate(stream), 2)
        }))
    })
  })
}

const gone = (name: string, position: bigint) =>
  Effect.gen(function*() {
    let handled = 0
    const subscribing = yield* all
    const error = yield* Effect.flip(subscribing.redeliver(name, position, () => Effect.sync(() => void handled++)))
    assert.strictEqual(error._tag, "EventTruncated")
    assert.strictEqual(
      error.message,
      `The event at position ${position}, a dead letter of the subscription "${name}", has been truncated and cannot be redelivered. Give the letter up with discard("${name}", ${position}n)`
    )
    assert.strictEqual(handled, 0)
    assert.lengthOf(yield* subscribing.deadLetters(name), 1)
    assert.isTrue(yield* subscribing.discard(name, position))
    assert.lengthOf(yield* subscribing.deadLetters(name), 0)
  })

describe("a dead letter whose event is gone", () => {
  plainIt.effect("in PostgreSQL stays, is not redelivered, and says so", () =>
    Effect.gen(function*() {
      const { name, position } = yield* skipped
      const sql = yield* SqlClient.SqlClient
      // As a version that did not ask for letters has left it.
      yield* sql.withTransaction(Effect.gen(function*() {
        yield* sql`select set_config('effect_lifecycle.truncating', 'es', true)`
        yield* sql`delete from es.events where position = ${position}`
      }))
      const [letter] = yield* all.use((each) => each.deadLetters(name))
      assert.deepInclude(letter, { position, truncated: true, eventId: "", version: 0 })
      assert.include(letter?.reason, "cannot take it")
      yield* gone(name, position)
    }).pipe(Effect.provide(Pg)), { timeout: 60_000 })
  plainIt.effect("in memory stays, is not redelivered, and says so", () =>
    Effect.gen(function*() {
      const database = new Database()
      const events = EventStoreMemory.make(database)
      const unit = UnitOfWork.UnitOfWork.of({
        run: database.run,
        afterCommit: database.afterCommit,
        isOpen: database.isOpen
      })
      const backend = SubscriptionsMemory.make(database)
      const without = EventStore.EventStore.of({ ...events, readAll: () => Stream.empty })
      const stream = { category: "A", id: "a" }
      yield* events.append({ stream, expect: "any", events: [{ type: "T", data: {} }] })
      const [event] = yield* Stream.runCollect(events.read(stream))
      yield* backend.bury("s", event ?? assert.fail("no event"), "cannot take it", 1)
      yield* gone("s", 1n).pipe(
        Effect.provideService(all, subscriptions.make(backend, without, unit).service)
      )
    }))
})
