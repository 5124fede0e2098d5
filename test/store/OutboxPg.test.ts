import { assert, describe, layer as testLayer } from "@effect/vitest"
import { Context, Deferred, Duration, Effect, Fiber, Layer, Schedule } from "effect"
import { Outbox, UnitOfWork } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { SqlClient } from "effect/sql"
import { pgTest } from "../postgres.ts"
import { fresh, outboxContract } from "./outboxContract.ts"
import { frozen } from "./processes.ts"

const client = { maxConnections: 40 }
const Pg = PgStore.layer().pipe(Layer.provideMerge(pgTest({ client })))
outboxContract("PgStore", Pg)

const enqueue = (message: Outbox.NewMessage) => Outbox.Outbox.use((box) => box.enqueue(message))

/** The same store as another process sees it. */
const elsewhere = (options: PgStore.Options) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const context = yield* Layer.build(
      Layer.fresh(PgStore.layer(options)).pipe(Layer.provide(Layer.succeed(SqlClient.SqlClient, sql)))
    )
    return Context.get(context, Outbox.Outbox)
  })

const until = <E, R>(condition: Effect.Effect<boolean, E, R>) =>
  condition.pipe(
    Effect.filterOrFail((holds) => holds, () => "not yet" as const),
    Effect.retry(Schedule.spaced("5 millis")),
    Effect.timeout("10 seconds")
  )

describe("Outbox, of PostgreSQL only", () => {
  testLayer(Pg, { excludeTestServices: true, timeout: "60 seconds" })("one database", (it) => {
    it.effect("orders the messages of a key as their transactions commit, also where they overlap", () =>
      Effect.gen(function*() {
        const topic = fresh()
        const unit = yield* UnitOfWork.UnitOfWork
        const written = yield* Deferred.make<void>()
        const ending = yield* Deferred.make<void>()
        const got: Array<unknown> = []
        yield* Effect.forkChild(Outbox.Outbox.use((box) =>
          box.run({
            topics: [topic],
            publish: ({ payload }) =>
              Effect.sync(() => {
                got.push(payload)
              })
          })
        ))
        const slow = yield* Effect.forkChild(unit.run(Effect.gen(function*() {
          yield* enqueue({ topic, key: "a", payload: "slow" })
          yield* Deferred.succeed(written, undefined)
          yield* Deferred.await(ending)
        })))
        yield* Deferred.await(written)
        const fast = yield* Effect.forkChild(enqueue({ topic, key: "a", payload: "fast" }))
        yield* enqueue({ topic, key: "b", payload: "other key" })
        yield* enqueue({ topic, payload: "no key" })
        yield* until(Effect.sync(() => got.length === 2))
        assert.isUndefined(fast.pollUnsafe())
        yield* Deferred.succeed(ending, undefined)
        yield* Fiber.join(slow)
        yield* Fiber.join(fast)
        yield* until(Effect.sync(() => got.length === 4))
        assert.deepStrictEqual(got, ["other key", "no key", "slow", "fast"])
      }))
    it.effect("takes several keys of one call in one order, so that two such calls do not deadlock", () =>
      Effect.gen(function*() {
        const topic = fresh()
        const unit = yield* UnitOfWork.UnitOfWork
        const keys = ["a", "b", "c", "d"]
        const write = (order: ReadonlyArray<string>) =>
          unit.run(Effect.andThen(
            Outbox.Outbox.use((box) => box.enqueueAll(order.map((key) => ({ topic, key, payload: key })))),
            Effect.sleep("1 millis")
          ))
        yield* Effect.forEach(
          Array.from({ length: 40 }, (_, i) => i % 2 === 0 ? keys : keys.toReversed()),
          write,
          { concurrency: 16 }
        )
        assert.strictEqual((yield* Outbox.Outbox.use((box) => box.status({ topics: [topic] }))).pending, 160)
      }))
    it.effect("settles nothing under the token of an earlier claim", () =>
      Effect.gen(function*() {
        const topic = fresh()
        const sql = yield* SqlClient.SqlClient
        yield* enqueue({ topic, key: "a", payload: 1 })
        const claim = (lease: number) =>
          sql.unsafe<{ readonly seq: bigint; readonly token: bigint }>(
            `select seq, token from es.outbox_claim(10, ${lease}, array['${topic}'])`
          )
        const settle = (seq: unknown, token: unknown) =>
          sql.unsafe(`select es.outbox_settle(array[${String(seq)}]::bigint[], array[${String(token)}]::bigint[],
            array[1], array[0]::bigint[], array['']::text[])`)
        const [first] = yield* claim(1)
        yield* Effect.sleep("20 millis")
        const [second] = yield* claim(60_000)
        assert.strictEqual(Number(second?.token), Number(first?.token) + 1)
        const pending = Outbox.Outbox.use((box) => box.status({ topics: [topic] })).pipe(Effect.map((s) => s.pending))
        yield* settle(first?.seq, first?.token)
        assert.strictEqual(yield* pending, 1)
        yield* settle(second?.seq, second?.token)
        assert.strictEqual(yield* pending, 0)
      }))
    it.effect("takes nothing from a worker that has lost its lease and goes on publishing", () =>
      Effect.gen(function*() {
        const topic = fresh()
        const box = yield* Outbox.Outbox
        const entered = yield* Deferred.make<void>()
        const latch = yield* Deferred.make<void, string>()
        const ended = yield* Deferred.make<void>()
        yield* box.enqueueAll([{ topic, key: "a", payload: 1 }, { topic, key: "a", payload: 2 }])
        const other = yield* elsewhere({})
        const got: Array<string> = []
        yield* Effect.forkChild(frozen(other.run({
          topics: [topic],
          lease: "200 millis",
          attempts: 1,
          drain: 0,
          publish: ({ payload }) =>
            Deferred.succeed(entered, undefined).pipe(
              Effect.andThen(Effect.sync(() => got.push(`first ${payload}`))),
              Effect.andThen(Deferred.await(latch)),
              Effect.ensuring(Deferred.succeed(ended, undefined))
            )
        })))
        yield* Deferred.await(entered)
        const hold = yield* Deferred.make<void>()
        const second = yield* Effect.forkChild(box.run({
          topics: [topic],
          drain: 0,
          publish: ({ payload, token }) =>
            Effect.andThen(Effect.sync(() => got.push(`second ${payload} ${token}`)), Deferred.await(hold))
        }))
        yield* until(Effect.sync(() => got.length === 2))
        // It says that the message is dead; the one that has it now is not done yet.
        yield* Deferred.fail(latch, "no")
        yield* Deferred.await(ended)
        yield* Effect.sleep("100 millis")
        assert.deepInclude(yield* box.status({ topics: [topic] }), { pending: 2, dead: 0, pausedKeys: 0 })
        yield* Deferred.succeed(hold, undefined)
        yield* until(Effect.map(box.status({ topics: [topic] }), ({ pending }) => pending === 0))
        assert.deepStrictEqual(got, ["first 1", "second 1 2", "second 2 1"])
        assert.strictEqual((yield* box.status({ topics: [topic] })).dead, 0)
        yield* Fiber.interrupt(second)
      }))
    it.effect("does not look again and again at a thousand messages behind a paused key", () =>
      Effect.gen(function*() {
        const topic = fresh()
        const sql = yield* SqlClient.SqlClient
        const box = yield* Outbox.Outbox
        const got: Array<unknown> = []
        const id = yield* enqueue({ topic, key: "a", payload: "poison" })
        yield* box.enqueueAll(Array.from({ length: 1000 }, (_, i) => ({ topic, key: "a", payload: i })))
        let broken = true
        yield* Effect.forkChild(box.run({
          topics: [topic],
          attempts: 1,
          publish: ({ payload }) =>
            broken && payload === "poison" ? Effect.fail("no") : Effect.sync(() => {
              got.push(payload)
            })
        }))
        const candidates = sql.unsafe<{ readonly n: number }>(
          `select count(*)::int as n from es.outbox where topic = '${topic}' and state = 0 and not parked`
        )
        yield* until(Effect.map(candidates, ([row]) => row?.n === 0))
        broken = false
        yield* box.redeliver(id)
        yield* until(Effect.sync(() => got.length === 1001))
        assert.deepStrictEqual(got, ["poison", ...Array.from({ length: 1000 }, (_, i) => i)])
      }))
    it.effect("is woken by another process, without the poll", () =>
      Effect.gen(function*() {
        const topic = fresh()
        const other = yield* elsewhere({ pollEvery: "1 hour" })
        const got: Array<unknown> = []
        yield* Effect.forkChild(other.run({
          topics: [topic],
          publish: ({ payload }) =>
            Effect.sync(() => {
              got.push(payload)
            })
        }))
        yield* enqueue({ topic, payload: 0 })
        yield* until(Effect.sync(() => got.length === 1))
        for (let i = 1; i <= 5; i++) {
          const [taken] = yield* Effect.timed(
            Effect.andThen(enqueue({ topic, payload: i }), until(Effect.sync(() => got.length === i + 1)))
          )
          assert.isBelow(Duration.toMillis(taken), 2000)
        }
      }))
    it.effect("finds by its poll what nothing told of", () =>
      Effect.gen(function*() {
        const topic = fresh()
        const other = yield* elsewhere({ listen: false, pollEvery: "50 millis" })
        const reached = yield* Deferred.make<void>()
        yield* Effect.forkChild(
          other.run({ topics: [topic], publish: () => Effect.asVoid(Deferred.succeed(reached, undefined)) })
        )
        yield* Effect.sleep("100 millis")
        yield* enqueue({ topic, payload: 1 })
        yield* Effect.timeout(Deferred.await(reached), "5 seconds")
      }))
    it.effect("goes on when its connections are lost", () =>
      Effect.gen(function*() {
        const topic = fresh()
        const sql = yield* SqlClient.SqlClient
        const box = yield* Outbox.Outbox
        const got = new Set<unknown>()
        yield* Effect.forkChild(box.run({
          topics: [topic],
          lease: "1 second",
          publish: ({ payload }) =>
            Effect.andThen(
              Effect.sleep("5 millis"),
              Effect.sync(() => {
                got.add(payload)
              })
            )
        }))
        for (let i = 0; i < 60; i++) {
          yield* Effect.retry(enqueue({ topic, id: `${topic}-${i}`, payload: i }), { times: 50 })
          if (i % 20 === 10) {
            yield* Effect.ignore(sql`select pg_terminate_backend(pid) from pg_stat_activity
              where datname = current_database() and pid <> pg_backend_pid()`)
          }
        }
        yield* until(Effect.map(
          Effect.retry(box.status({ topics: [topic] }), { times: 50 }),
          ({ pending }) => pending === 0
        ))
        assert.strictEqual(got.size, 60)
      }))
  })
})
