import { assert, describe, it, layer as testLayer } from "@effect/vitest"
import { Context, Deferred, Duration, Effect, Fiber, Layer, Schedule, Stream } from "effect"
import { EventStore, Subscription, UnitOfWork } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { SqlClient } from "effect/sql"
import { pgTest } from "../postgres.ts"
import { append, fresh, subscriptionContract } from "./subscriptionContract.ts"

const client = { maxConnections: 40 }
subscriptionContract("PgStore", PgStore.layer().pipe(Layer.provide(pgTest({ client }))))
subscriptionContract(
  "PgStore with nothing but the poll of another process's appends",
  PgStore.layer({ notify: false, listen: false, pollEvery: "20 millis" }).pipe(Layer.provide(pgTest({ client })))
)

/** Until the subscription has its checkpoint. */
const started = (name: string) =>
  Subscription.Subscriptions.use((all) => all.status(name)).pipe(
    Effect.filterOrFail((status) => status !== undefined, () => "not yet"),
    Effect.retry(Schedule.spaced("5 millis")),
    Effect.timeout("5 seconds")
  )

/** The same store as another process sees it. */
const elsewhere = (options: PgStore.Options) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    return yield* Layer.build(
      Layer.fresh(PgStore.layer(options)).pipe(Layer.provide(Layer.succeed(SqlClient.SqlClient, sql)))
    )
  })

/** Appends in a transaction that stays open until it is told how to end. */
const slowAppend = Effect.fnUntraced(function*(category: string, id: string, type: string) {
  const written = yield* Deferred.make<bigint>()
  const ending = yield* Deferred.make<void, string>()
  const fiber = yield* UnitOfWork.UnitOfWork.use((unit) =>
    unit.run(Effect.gen(function*() {
      yield* Deferred.succeed(written, yield* append(category, id, type))
      yield* Deferred.await(ending)
    }))
  ).pipe(Effect.exit, Effect.forkChild)
  const position = yield* Deferred.await(written)
  return {
    position,
    commit: Effect.andThen(Deferred.succeed(ending, undefined), Fiber.join(fiber)),
    rollback: Effect.andThen(Deferred.fail(ending, "no"), Fiber.join(fiber))
  }
})

const Pg = PgStore.layer().pipe(Layer.provideMerge(pgTest({ client })))

describe("Subscription, of PostgreSQL only", () => {
  testLayer(Pg, { excludeTestServices: true, timeout: "60 seconds" })("one database", (it) => {
    for (const outcome of ["commit", "rollback"] as const) {
      it.effect(`waits at a gap for the writer that holds it, which ends in a ${outcome}`, () =>
        Effect.gen(function*() {
          const { category, name, type } = fresh()
          const all = yield* Subscription.Subscriptions
          const got: Array<string> = []
          yield* Effect.forkChild(all.run({
            name,
            from: "end",
            handle: (event) =>
              Effect.sync(() => {
                got.push(event.stream.id)
              })
          }))
          yield* started(name)
          const first = yield* append(category, "before", type)
          yield* all.awaitPosition(name, first)
          const slow = yield* slowAppend(category, "slow", type)
          const fast = yield* append(category, "fast", type)
          // A reader that goes on from the highest position it saw has lost the slow one by now.
          const naive = yield* EventStore.EventStore.use((store) => Stream.runCollect(store.readAll({ after: first })))
          assert.deepStrictEqual(naive.map((event) => event.stream.id), ["fast"])
          yield* Effect.sleep("150 millis")
          assert.deepStrictEqual(got, ["before"])
          const held = yield* all.highWater
          assert.deepInclude(held, { mark: first, highest: fast, holders: 1 })
          assert.isAtLeast(held.gapMillis ?? 0, 50)
          // Whoever appends later does not keep the gap open.
          const later = yield* slowAppend(category, "later", type)
          yield* slow[outcome]
          yield* all.awaitPosition(name, fast).pipe(Effect.timeout("5 seconds"))
          const ended = outcome === "commit" ? ["before", "slow", "fast"] : ["before", "fast"]
          assert.deepStrictEqual(got, ended)
          yield* later.commit
          yield* all.awaitPosition(name, later.position).pipe(Effect.timeout("5 seconds"))
          assert.deepStrictEqual(got, [...ended, "later"])
        }))
    }
    it.effect("is not held back by a transaction that only reads the events, or writes something else", () =>
      Effect.gen(function*() {
        const { category, name, type } = fresh()
        const all = yield* Subscription.Subscriptions
        const sql = yield* SqlClient.SqlClient
        yield* Effect.forkChild(all.run({ name, from: "end", handle: () => Effect.void }))
        const open = yield* Deferred.make<void>()
        yield* Effect.forkChild(sql.withTransaction(Effect.gen(function*() {
          yield* sql`select pg_current_xact_id()::text`
          yield* sql`select count(*) from es.events`
          yield* Deferred.succeed(open, undefined)
          return yield* Effect.never
        })))
        yield* Deferred.await(open)
        const dead = yield* slowAppend(category, "dead", type)
        yield* dead.rollback
        const last = yield* append(category, "a", type)
        yield* all.awaitPosition(name, last).pipe(Effect.timeout("5 seconds"))
      }))
    it.effect("begins at the end only after those who are still writing before it", () =>
      Effect.gen(function*() {
        const { category, type } = fresh()
        const all = yield* Subscription.Subscriptions
        const slow = yield* slowAppend(category, "slow", type)
        yield* append(category, "fast", type)
        const events = yield* Effect.forkChild(
          Stream.runCollect(all.events({ after: "end" }).pipe(Stream.take(1))),
          { startImmediately: true }
        )
        yield* Effect.sleep("100 millis")
        yield* slow.commit
        yield* Effect.sleep("100 millis")
        yield* append(category, "new", type)
        assert.deepStrictEqual((yield* Fiber.join(events)).map((event) => event.stream.id), ["new"])
      }))
    it.effect("is woken by the appends of another process, without the poll", () =>
      Effect.gen(function*() {
        const { category, name, type } = fresh()
        const other = yield* elsewhere({ pollEvery: "1 hour" })
        const heard = Context.get(other, Subscription.Subscriptions)
        yield* Effect.forkChild(heard.run({ name, handle: () => Effect.void }))
        yield* heard.awaitPosition(name, yield* append(category, "a", type)).pipe(Effect.timeout("5 seconds"))
        const times: Array<number> = []
        for (let i = 0; i < 5; i++) {
          const last = yield* append(category, "a", type)
          const [taken] = yield* Effect.timed(heard.awaitPosition(name, last)).pipe(Effect.timeout("5 seconds"))
          times.push(Duration.toMillis(taken))
        }
        assert.isBelow(Math.max(...times), 2000)
      }))
    it.effect("finds appends that nothing told of by its poll", () =>
      Effect.gen(function*() {
        const { category, name, type } = fresh()
        const other = yield* elsewhere({ listen: false, pollEvery: "50 millis" })
        const polled = Context.get(other, Subscription.Subscriptions)
        yield* Effect.forkChild(polled.run({ name, handle: () => Effect.void }))
        yield* polled.awaitPosition(name, yield* append(category, "a", type)).pipe(Effect.timeout("5 seconds"))
      }))
    it.effect("does not blame an event for the connection that its handler lost", () =>
      Effect.gen(function*() {
        const { category, name, type } = fresh()
        const sql = yield* SqlClient.SqlClient
        const all = yield* Subscription.Subscriptions
        const got: Array<number> = []
        yield* Effect.forkChild(all.run({
          name,
          categories: [category],
          poison: "skip",
          retry: Schedule.recurs(0),
          handle: ({ version }) =>
            Effect.suspend((): Effect.Effect<void, unknown> => {
              got.push(version)
              // The server ends the connection under the handler, once for each event.
              return got.filter((one) => one === version).length === 1
                ? Effect.asVoid(sql`select pg_terminate_backend(pg_backend_pid())`)
                : Effect.void
            })
        }))
        yield* append(category, "a", type)
        const last = yield* append(category, "a", type)
        yield* all.awaitPosition(name, last).pipe(Effect.retry({ times: 50 }), Effect.timeout("10 seconds"))
        assert.deepStrictEqual([...new Set(got)], [1, 2])
        assert.strictEqual((yield* all.status(name))?.deadLetters, 0)
      }))
    it.effect("listens again when its connection is lost, and misses nothing meanwhile", () =>
      Effect.gen(function*() {
        const { category, name, type } = fresh()
        const sql = yield* SqlClient.SqlClient
        const all = yield* Subscription.Subscriptions
        const got: Array<number> = []
        yield* Effect.forkChild(all.run({
          name,
          categories: [category],
          handle: (event) =>
            Effect.sync(() => {
              got.push(event.version)
            })
        }))
        yield* all.awaitPosition(name, yield* append(category, "a", type)).pipe(Effect.timeout("5 seconds"))
        yield* sql`select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid()`
        const last = yield* Effect.retry(append(category, "a", type), { times: 50 })
        yield* all.awaitPosition(name, last).pipe(Effect.retry({ times: 50 }), Effect.timeout("10 seconds"))
        assert.deepStrictEqual(got, [1, 2])
      }))
  })
  it.effect("does without listening on a pool of one connection", () =>
    Effect.gen(function*() {
      const { category, name, type } = fresh()
      const all = yield* Subscription.Subscriptions
      yield* Effect.forkChild(all.run({ name, handle: () => Effect.void }))
      yield* all.awaitPosition(name, yield* append(category, "a", type)).pipe(Effect.timeout("5 seconds"))
    }).pipe(
      Effect.provide(PgStore.layer().pipe(Layer.provide(pgTest({ client: { maxConnections: 1 } })))),
      (effect) => Effect.scoped(effect)
    ), { timeout: 30_000 })
})
