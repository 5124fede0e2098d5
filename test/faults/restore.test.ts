/** The drill of "Backup and restore" in src/store/README.md: a store that is written to is exported, lost, and read again. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Schedule, Stream } from "effect"
import { EventStore, Maintenance, Outbox, Subscription } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { SqlClient } from "effect/sql"
import { pgTest } from "../postgres.ts"

const category = "Restored"

/** One life of the service: a database, and a store in it unless an export is to be read there first. */
const database = Layer.build(Layer.fresh(pgTest({ client: { maxConnections: 12 } })))

type Services = SqlClient.SqlClient | EventStore.EventStore | Subscription.Subscriptions | Outbox.Outbox

const service = (database: Context.Context<SqlClient.SqlClient>) =>
  Effect.map(
    Layer.build(Layer.fresh(PgStore.layer({ pollEvery: "20 millis" }))).pipe(Effect.provide(database)),
    (store): Context.Context<Services> => Context.merge(database, store)
  )

const append = (id: string, number: number) =>
  EventStore.EventStore.use((store) =>
    store.append({
      stream: { category, id },
      expect: "any",
      events: [{ type: "Counted", data: number }, { type: "Counted", data: number }]
    })
  )

/** The highest position that the service itself has answered with. */
const highest = Effect.map(
  EventStore.EventStore.use((store) => Stream.runCollect(store.readAll({ categories: [category] }))),
  (events) => events.at(-1)?.position ?? 0n
)

/** An effect in the database is a message, with the position as its id, which may be there once only. */
const follow = (done: Array<bigint>) =>
  Effect.gen(function*() {
    const outbox = yield* Outbox.Outbox
    const subscriptions = yield* Subscription.Subscriptions
    return yield* subscriptions.run({
      name: "follower",
      categories: [category],
      partitions: 2,
      lease: "400 millis",
      batchSize: 10,
      handle: ({ position }) =>
        Effect.andThen(
          outbox.enqueue({ topic: "effects", payload: String(position) }),
          Effect.sync(() => done.push(position))
        )
    })
  })

const caughtUp = Effect.gen(function*() {
  const subscriptions = yield* Subscription.Subscriptions
  yield* subscriptions.awaitPosition("follower", yield* highest).pipe(
    Effect.timeout("30 seconds"),
    Effect.retry(Schedule.spaced("20 millis"))
  )
})

/** Every event has its effect in the same database exactly once. */
const assertEffects = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ readonly position: string }>`select payload #>> '{}' as position from es.outbox`
  const stored = yield* EventStore.EventStore.use((store) =>
    Stream.runCollect(store.readAll({ categories: [category] }))
  )
  assert.deepStrictEqual(
    rows.map(({ position }) => BigInt(position)).toSorted((a, b) => Number(a - b)),
    stored.map(({ position }) => position)
  )
  return stored.length
})

const exported = Effect.gen(function*() {
  const lines: Array<string> = []
  yield* Maintenance.exportTo((page) => Effect.sync(() => void lines.push(...page)))
  return lines
})

describe("A store that is restored", () => {
  it.live(
    "goes on where the export was made: no event without its effect, none with two",
    () =>
      Effect.gen(function*() {
        const lines = yield* Effect.scoped(Effect.gen(function*() {
          const context = yield* service(yield* database)
          return yield* Effect.gen(function*() {
            yield* Effect.forkChild(follow([]))
            const stop = { now: false }
            const writing = yield* Effect.forkChild(Effect.forEach(
              [0, 1, 2, 3, 4, 5, 6, 7],
              (writer) =>
                Effect.gen(function*() {
                  for (let n = 0; !stop.now; n++) yield* append(`s-${writer}`, n)
                }),
              { concurrency: "unbounded" }
            ))
            yield* Effect.repeat(highest, {
              until: (position) => position > 200n,
              schedule: Schedule.spaced("5 millis")
            })
            // Everybody goes on writing and following meanwhile, so the checkpoint is somewhere in the middle.
            const lines = yield* exported
            stop.now = true
            yield* Fiber.join(writing)
            return lines
          }).pipe(Effect.provide(context))
        }))

        const target = yield* database
        yield* Maintenance.importFrom(Stream.fromIterable(lines)).pipe(Effect.provide(target))
        yield* Effect.gen(function*() {
          assert.deepStrictEqual((yield* Maintenance.verify()).faults, [])
          const before = yield* highest
          const done: Array<bigint> = []
          const sql = yield* SqlClient.SqlClient
          const [row] = yield* sql<{ readonly n: number }>`select count(*)::int as n from es.outbox`
          yield* Effect.forkChild(follow(done))
          const next = yield* append("s-0", 0)
          assert.isTrue(next._tag === "Appended" && next.position > before)
          yield* caughtUp
          const events = yield* assertEffects
          // What had been handled before the export was not handled again.
          assert.strictEqual(done.length, events - row!.n)
          assert.isAbove(row!.n, 0)
        }).pipe(Effect.provide(yield* service(target)))
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )

  it.live(
    "to an older state gives positions out again to those who kept them elsewhere, unless it is told not to",
    () =>
      Effect.gen(function*() {
        const source = yield* service(yield* database)
        yield* append("a", 1).pipe(Effect.provide(source))
        const lines = yield* Effect.provide(exported, source)
        yield* append("lost", 1).pipe(Effect.provide(source))
        // A reader outside has come so far: what is lost is known to it.
        const seen = yield* Effect.provide(highest, source)

        const after = (above: bigint | undefined) =>
          Effect.gen(function*() {
            const target = yield* database
            yield* Maintenance.importFrom(Stream.fromIterable(lines), { above }).pipe(Effect.provide(target))
            return yield* Effect.gen(function*() {
              yield* append("new", 1)
              // A process that starts anew takes the checkpoints of the database it finds, and misses nothing.
              const done: Array<bigint> = []
              yield* Effect.forkChild(follow(done))
              yield* caughtUp
              yield* assertEffects
              assert.lengthOf(done, 4)
              assert.deepStrictEqual((yield* Maintenance.verify()).faults, [])
              const store = yield* EventStore.EventStore
              return yield* Stream.runCollect(store.readAll({ after: seen, categories: [category] }))
            }).pipe(Effect.provide(yield* service(target)))
          })
        assert.deepStrictEqual((yield* after(undefined)).map(({ stream }) => stream.id), [])
        assert.deepStrictEqual((yield* after(seen)).map(({ stream }) => stream.id), ["new", "new"])
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )
})
