/**
 * The schedule that makes readers of a sequence lose events: transactions that take their id early and their position
 * late, that linger before they commit, that roll back, and one that stays open in another database of the same server.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Random, Stream } from "effect"
import { EventStore, Subscription, UnitOfWork } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { SqlClient } from "effect/sql"
import { pgTest } from "../postgres.ts"

const writers = 12
const streams = 8

/** What a reader was given, in the order in which it was. */
class Received {
  readonly events: Array<string> = []
  readonly versions = new Map<string, number>()
  inversions = 0
  take({ stream, version }: EventStore.StoredEvent): void {
    this.events.push(`${stream.id}:${version}`)
    if (version < (this.versions.get(stream.id) ?? 0)) this.inversions++
    this.versions.set(stream.id, version)
  }
  against(written: ReadonlySet<string>) {
    const distinct = new Set(this.events)
    return {
      missed: [...written].filter((event) => !distinct.has(event)).length,
      invented: [...distinct].filter((event) => !written.has(event)).length,
      duplicated: this.events.length - distinct.size,
      inversions: this.inversions
    }
  }
}

const database = pgTest({ client: { maxConnections: writers + 10 } })

/** The same database as another process sees it: a layer, a pool's share and a mark of its own. */
const reader = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  return yield* Layer.build(
    Layer.fresh(PgStore.layer()).pipe(Layer.provide(Layer.succeed(SqlClient.SqlClient, sql)))
  )
})

const writer = (id: number, written: Set<string>, stop: { now: boolean }) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const store = yield* EventStore.EventStore
    const unit = yield* UnitOfWork.UnitOfWork
    while (!stop.now) {
      const stream = `s-${Math.floor((yield* Random.next) * streams)}`
      const early = (yield* Random.next) < 0.5
      const lingers = (yield* Random.next) < 0.2
      const undoes = (yield* Random.next) < 0.08
      const result = yield* unit.run(Effect.gen(function*() {
        if (early) {
          yield* sql`select pg_current_xact_id()::text`
          yield* Effect.sleep((yield* Random.next) * 4)
        }
        const count = 1 + Math.floor((yield* Random.next) * 2)
        const appended = yield* store.append({
          stream: { category: "Hostile", id: stream },
          expect: "any",
          events: Array.from({ length: count }, () => ({ type: "Written", data: { writer: id } }))
        })
        if (lingers) yield* Effect.sleep((yield* Random.next) * 12)
        if (undoes) return yield* Effect.fail("undone" as const)
        return appended
      })).pipe(Effect.catch((error) => error === "undone" ? Effect.void : Effect.die(error)))
      if (result === undefined || result._tag !== "Appended") continue
      for (let version = result.firstVersion; version <= result.version; version++) written.add(`${stream}:${version}`)
    }
  })

/** Holds a transaction with an id open in another database of the server, until it is interrupted. */
const unrelated = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  return yield* sql.withTransaction(Effect.andThen(sql`select pg_current_xact_id()::text`, Effect.never))
}).pipe(Effect.provide(Layer.fresh(pgTest())))

/** Goes on from the highest position it saw. */
const naive = (received: Received, stop: { now: boolean }) =>
  Effect.gen(function*() {
    const store = yield* EventStore.EventStore
    let after = 0n
    while (true) {
      const last = stop.now
      const events = yield* Stream.runCollect(store.readAll({ after }))
      for (const event of events) {
        received.take(event)
        after = event.position
      }
      if (last && events.length === 0) return
      yield* Effect.sleep(2)
    }
  })

describe("Subscriptions under a hostile schedule", () => {
  it.live(
    "miss nothing, repeat nothing and keep the order inside a stream, where a naive reader loses events",
    () =>
      Effect.gen(function*() {
        const store = yield* EventStore.EventStore
        const inside = yield* Subscription.Subscriptions
        const outside = Context.get(yield* reader, Subscription.Subscriptions)
        const written = new Set<string>()
        const stop = { now: false }
        const received = { stream: new Received(), subscription: new Received(), naive: new Received() }

        yield* Effect.forkChild(
          Stream.runForEach(inside.events(), (event) => Effect.sync(() => received.stream.take(event)))
        )
        yield* Effect.forkChild(outside.run({
          name: "hostile",
          handle: (event) =>
            Effect.sync(() => {
              received.subscription.take(event)
            })
        }))
        const reading = yield* Effect.forkChild(naive(received.naive, stop))
        const working = yield* Effect.forkChild(
          Effect.all(Array.from({ length: writers }, (_, id) => writer(id, written, stop)), {
            concurrency: "unbounded",
            discard: true
          })
        )
        yield* Effect.sleep("500 millis")
        const stall = yield* Effect.forkChild(unrelated)
        yield* Effect.sleep("1 second")
        const before = [received.stream.events.length, received.subscription.events.length]
        yield* Effect.sleep("1 second")
        const after = [received.stream.events.length, received.subscription.events.length]
        const during = after.map((count, index) => count - (before[index] ?? 0))
        yield* Fiber.interrupt(stall)
        yield* Effect.sleep("500 millis")
        stop.now = true
        yield* Fiber.join(working)
        yield* Fiber.join(reading)

        const stored = yield* Stream.runCollect(store.readAll())
        const last = stored.at(-1)?.position ?? 0n
        yield* outside.awaitPosition("hostile", last).pipe(Effect.timeout("20 seconds"))
        yield* Effect.sleep("200 millis")

        const found = {
          stream: received.stream.against(written),
          subscription: received.subscription.against(written),
          naive: received.naive.against(written)
        }
        yield* Effect.sync(() =>
          process.stdout.write(
            `ordering: ${written.size} events committed, ${
              Number(last) - stored.length
            } positions lost to rollbacks; ` +
              `delivered within a second of an unrelated open transaction: ${during.join(" and ")}\n` +
              Object.entries(found).map(([name, result]) =>
                `  ${name.padEnd(13)}${Object.entries(result).map(([what, n]) => `${what} ${n}`).join(", ")}\n`
              ).join("")
          )
        )
        const clean = { missed: 0, invented: 0, duplicated: 0, inversions: 0 }
        assert.strictEqual(stored.length, written.size)
        assert.isAbove(written.size, 300)
        assert.deepStrictEqual(found.subscription, clean)
        assert.deepStrictEqual(found.stream, clean)
        assert.isAbove(Math.min(...during), 20)
        // Otherwise the schedule was not hostile, and the rest says nothing.
        assert.isAbove(found.naive.missed, 0)
      }).pipe(Effect.scoped, Effect.provide(PgStore.layer().pipe(Layer.provideMerge(database)))),
    { timeout: 60_000 }
  )
})
