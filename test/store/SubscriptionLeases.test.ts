/** Who has a partition of a subscription, and for how long, over PostgreSQL. */
import { PgClient } from "@effect/sql-pg"
import { assert, describe, layer as testLayer } from "@effect/vitest"
import { Clock, Context, Deferred, Effect, Latch, Layer, Schedule } from "effect"
import { type EventStore, Subscription } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { SqlClient } from "effect/sql"
import { pgTest } from "../postgres.ts"
import { client, elsewhere, eventually, frozen } from "./processes.ts"
import { append, count, countOf, fresh, reach, run, statusOf } from "./subscriptionContract.ts"

const lease = 300
const Pg = PgStore.layer().pipe(Layer.provideMerge(pgTest({ client })))

/** Runs a subscription as another process. */
const runElsewhere = Effect.fnUntraced(function*<E, R>(
  process: Context.Context<Subscription.Subscriptions>,
  options: Subscription.Options<E, R>
) {
  return yield* Effect.forkChild(Context.get(process, Subscription.Subscriptions).run(options), {
    startImmediately: true
  })
})
const ownerOf = (name: string) => Effect.map(statusOf(name), (status) => status?.partitions[0]?.owner)
/** Looks again and again for several leases, and answers every owner that the partition had meanwhile. */
const ownersFor = Effect.fnUntraced(function*(name: string, millis: number) {
  const until = (yield* Clock.currentTimeMillis) + millis
  const owners = new Set<string | undefined>()
  const look = Effect.tap(ownerOf(name), (owner) => Effect.sync(() => owners.add(owner)))
  yield* Effect.repeat(look, {
    schedule: Schedule.spaced("20 millis"),
    while: () => Effect.map(Clock.currentTimeMillis, (now) => now < until)
  })
  return [...owners]
})

describe("The lease of a partition", () => {
  testLayer(Pg, { excludeTestServices: true, timeout: "60 seconds" })("of two owners", (it) => {
    for (const [batch, batchSize] of [["an event", 1], ["a batch", 10]] as const) {
      it.effect(`is renewed while ${batch} takes several times as long, so that nobody else begins with it`, () =>
        Effect.gen(function*() {
          const { category, name, type } = fresh()
          const entered = yield* Deferred.make<void>()
          const latch = yield* Latch.make(false)
          yield* Effect.addFinalizer(() => latch.open)
          const handled: Array<string> = []
          const handle = (by: string) => (event: EventStore.StoredEvent) =>
            Effect.gen(function*() {
              handled.push(`${by} ${event.version}`)
              yield* count(name, event)
              if (event.version !== 3) return
              yield* Deferred.succeed(entered, undefined)
              yield* latch.await
            })
          const options = { name, categories: [category], lease, batchSize }
          const last = yield* append(category, "a", type, 3)
          yield* runElsewhere(yield* elsewhere, { ...options, handle: handle("first") })
          yield* Deferred.await(entered)
          const first = yield* ownerOf(name)
          yield* run({ ...options, handle: handle("second") })
          yield* eventually(statusOf(name), (status) => status?.owners.length === 2)
          assert.deepStrictEqual(yield* ownersFor(name, 4 * lease), [first])
          yield* latch.open
          yield* reach(name, last)
          assert.deepStrictEqual(handled, ["first 1", "first 2", "first 3"])
          assert.strictEqual(yield* countOf(name), 3)
          assert.strictEqual((yield* statusOf(name))?.deadLetters, 0)
        }))
    }
    it.effect("is renewed also while the look at who owns what has to wait for somebody", () =>
      Effect.gen(function*() {
        const { category, name, type } = fresh()
        const sql = yield* SqlClient.SqlClient
        const entered = yield* Deferred.make<void>()
        const latch = yield* Latch.make(false)
        yield* Effect.addFinalizer(() => latch.open)
        const handled: Array<string> = []
        const handle = (by: string) => (event: EventStore.StoredEvent) =>
          Effect.gen(function*() {
            handled.push(by)
            yield* count(name, event)
            yield* Deferred.succeed(entered, undefined)
            yield* latch.await
          })
        const options = { name, categories: [category], lease, batchSize: 1 }
        const last = yield* append(category, "a", type)
        yield* runElsewhere(yield* elsewhere, { ...options, handle: handle("first") })
        yield* Deferred.await(entered)
        const first = yield* ownerOf(name)
        // As a process that was frozen inside its look at the division.
        const locked = yield* Deferred.make<void>()
        const unlock = yield* Deferred.make<void>()
        yield* Effect.forkChild(sql.withTransaction(Effect.gen(function*() {
          yield* sql`select 1 from es.subscriptions where name = ${name} for no key update`
          yield* Deferred.succeed(locked, undefined)
          yield* Deferred.await(unlock)
        })))
        yield* Deferred.await(locked)
        yield* run({ ...options, handle: handle("second") })
        assert.deepStrictEqual(yield* ownersFor(name, 4 * lease), [first])
        yield* Deferred.succeed(unlock, undefined)
        yield* eventually(statusOf(name), (status) => status?.owners.length === 2)
        assert.deepStrictEqual(yield* ownersFor(name, lease), [first])
        yield* latch.open
        yield* reach(name, last)
        assert.deepStrictEqual(handled, ["first"])
        assert.strictEqual(yield* countOf(name), 1)
      }))
    it.effect("is lost by an owner whose turn has the only connection, and what it wrote is undone", () =>
      Effect.gen(function*() {
        const { category, name, type } = fresh()
        const { config } = yield* PgClient.PgClient
        const entered = yield* Deferred.make<void>()
        const ended = yield* Deferred.make<void>()
        const latch = yield* Latch.make(false)
        yield* Effect.addFinalizer(() => latch.open)
        const go = yield* Latch.make(false)
        const options = { name, categories: [category], lease, batchSize: 10 }
        const last = yield* append(category, "a", type, 2)
        const starved = yield* Layer.build(
          PgStore.layer({ listen: false }).pipe(
            Layer.provideMerge(PgClient.layer({ ...config, maxConnections: 1 })),
            Layer.fresh
          )
        )
        const handled: Array<string> = []
        const first = yield* runElsewhere(starved, {
          ...options,
          handle: (event) =>
            Effect.gen(function*() {
              handled.push(`first ${event.version}`)
              yield* count(`${name}-first`, event)
              if (event.version !== 2) return
              yield* Deferred.succeed(entered, undefined)
              yield* latch.await
              yield* Deferred.succeed(ended, undefined)
            }).pipe(Effect.provideContext(starved))
        })
        yield* Deferred.await(entered)
        const before = (yield* statusOf(name))?.position
        const loser = yield* ownerOf(name)
        yield* run({
          ...options,
          lease: "10 seconds",
          handle: (event) =>
            Effect.gen(function*() {
              handled.push(`second ${event.version}`)
              yield* go.await
              yield* count(name, event)
            })
        })
        yield* eventually(ownerOf(name), (owner) => owner !== undefined && owner !== loser)
        const winner = yield* ownerOf(name)
        // The new owner has not moved the checkpoint yet: only its token tells the two apart.
        yield* latch.open
        yield* Deferred.await(ended)
        yield* eventually(statusOf(name), (status) => status?.owners.length === 2)
        assert.deepStrictEqual([(yield* statusOf(name))?.position, yield* ownerOf(name)], [before, winner])
        assert.strictEqual(yield* countOf(`${name}-first`), 0)
        yield* go.open
        yield* reach(name, last)
        assert.deepStrictEqual(handled, ["first 1", "first 2", "second 1", "second 2"])
        assert.deepStrictEqual([yield* countOf(name), yield* countOf(`${name}-first`)], [2, 0])
        assert.isUndefined(first.pollUnsafe())
      }))
    it.effect("are taken from an owner that stalls, and its commit is refused with all it wrote", () =>
      Effect.gen(function*() {
        const { category, name, type } = fresh()
        const entered = yield* Deferred.make<void>()
        const latch = yield* Latch.make(false)
        const refused = { writes: 0 }
        const options = { name, categories: [category], lease: "300 millis" as const, batchSize: 1 }
        // The stalled one writes to a row of its own: a row that both write would be waited for.
        const stalled = yield* elsewhere
        yield* Effect.addFinalizer(() => latch.open)
        yield* Effect.forkChild(
          Context.get(stalled, Subscription.Subscriptions).run({
            ...options,
            handle: (event) =>
              Effect.gen(function*() {
                yield* Deferred.succeed(entered, undefined)
                yield* count(`${name}-stalled`, event)
                refused.writes++
                yield* latch.await
              })
          }).pipe(Effect.provideContext(stalled), frozen)
        )
        const last = yield* append(category, "a", type, 2)
        yield* Deferred.await(entered)
        const [before] = (yield* statusOf(name))?.owners ?? []
        const start = (yield* statusOf(name))?.position
        const go = yield* Latch.make(false)
        yield* run({
          ...options,
          lease: "3 seconds",
          handle: (event) => Effect.andThen(go.await, count(name, event))
        })
        const owner = Effect.map(statusOf(name), (status) => status?.partitions[0]?.owner)
        yield* eventually(owner, (now) => now !== undefined && now !== before)
        // The new owner has not moved the checkpoint yet: only its token tells the two apart.
        yield* latch.open
        yield* Effect.sleep("150 millis")
        assert.strictEqual((yield* statusOf(name))?.position, start)
        yield* go.open
        yield* reach(name, last)
        assert.strictEqual(yield* countOf(name), 2)
        assert.strictEqual(refused.writes, 1)
        assert.strictEqual(yield* countOf(`${name}-stalled`), 0)
      }))
    it.effect("are given up by an owner whose handler hangs and cannot be interrupted", () =>
      Effect.gen(function*() {
        const { category, name, type } = fresh()
        const latch = yield* Latch.make(false)
        const entered = yield* Deferred.make<void>()
        const options = { name, categories: [category], lease: "300 millis" as const, timeout: 300, batchSize: 1 }
        const first = yield* elsewhere
        yield* Effect.addFinalizer(() => latch.open)
        yield* Effect.forkChild(
          Context.get(first, Subscription.Subscriptions).run({
            ...options,
            handle: (event) =>
              Effect.uninterruptible(Effect.gen(function*() {
                yield* count(`${name}-hung`, event)
                yield* Deferred.succeed(entered, undefined)
                yield* latch.await
              }))
          }).pipe(Effect.provideContext(first))
        )
        const last = yield* append(category, "a", type)
        yield* Deferred.await(entered)
        yield* run({ ...options, lease: "3 seconds", handle: (event) => count(name, event) })
        yield* reach(name, last)
        yield* latch.open
        yield* Effect.sleep("200 millis")
        assert.deepStrictEqual([yield* countOf(name), yield* countOf(`${name}-hung`)], [1, 0])
      }))
  })
})
