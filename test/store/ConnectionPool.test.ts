import { PgClient } from "@effect/sql-pg"
import { assert, describe, it, layer as testLayer } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Metric, Option, Scope, Stream } from "effect"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Metrics, Names } from "effect-lifecycle/observability"
import { InvalidOption } from "effect-lifecycle/resilience"
import { ConnectionPool, EventStore } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { PrometheusMetrics } from "effect/observability"
import { SqlClient, SqlError } from "effect/sql"
import { TestClock } from "effect/testing"
import { pgTest } from "../postgres.ts"
import { fresh, some } from "./contract.ts"

const leaseForEver = (pool: ConnectionPool.ConnectionPool) =>
  Effect.forkChild(Effect.scoped(Effect.andThen(pool.lease(Effect.void), Effect.never)), { startImmediately: true })

describe("ConnectionPool", () => {
  it.effect("reports use, callers in line, waits and times of use, and measures them on the monotonic clock", () =>
    Effect.gen(function*() {
      const seen: Array<Recorder.Report> = []
      const program = Effect.gen(function*() {
        const pool = yield* ConnectionPool.make({ name: "orders", size: 5 })
        const fiber = yield* Effect.forkChild(
          Effect.scoped(Effect.andThen(pool.lease(Effect.sleep("2 seconds")), Effect.sleep("3 seconds"))),
          { startImmediately: true }
        )
        assert.deepStrictEqual(yield* pool.stats, { inUse: 0, waiting: 1, size: 5, taken: 0, timeouts: 0 })
        yield* TestClock.adjust("4 seconds")
        assert.deepStrictEqual(yield* pool.stats, { inUse: 1, waiting: 0, size: 5, taken: 1, timeouts: 0 })
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(fiber)
      })
      yield* Recorder.recordTo(program, (report) => seen.push(report))
      const moves = seen.flatMap((report) => report._tag === "PoolMoved" ? [[report.inUse, report.waiting]] : [])
      assert.deepStrictEqual(moves, [[0, 0], [0, 1], [1, 0], [0, 0]])
      const spans = seen.flatMap((report) =>
        report._tag === "ConnectionWaited" || report._tag === "ConnectionReturned"
          ? [[report._tag, Number(report.endNanos - report.startNanos) / 1e9]]
          : []
      )
      assert.deepStrictEqual(spans, [["ConnectionWaited", 2], ["ConnectionReturned", 3]])
    }))

  it.effect("lets nobody wait longer than maxWait, and says how many connections were in use", () =>
    Effect.gen(function*() {
      const pool = yield* ConnectionPool.make({ name: "orders", size: 2, maxWait: "10 seconds" })
      yield* leaseForEver(pool)
      const fiber = yield* Effect.forkChild(Effect.exit(pool.lease(Effect.never)), { startImmediately: true })
      yield* TestClock.adjust("9999 millis")
      assert.strictEqual((yield* pool.stats).waiting, 1)
      yield* TestClock.adjust("1 millis")
      const exit = yield* Fiber.join(fiber)
      assert.deepStrictEqual(
        exit,
        Exit.fail(new ConnectionPool.PoolTimeout({ pool: "orders", size: 2, inUse: 1, maxWaitMillis: 10_000 }))
      )
      assert.deepStrictEqual(yield* pool.stats, { inUse: 1, waiting: 0, size: 2, taken: 1, timeouts: 1 })
    }).pipe(Effect.scoped))

  it.effect("counts back however the caller ends: by failure, defect, interruption in line and in use", () =>
    Effect.gen(function*() {
      const outcomes: Array<string> = []
      const program = Effect.gen(function*() {
        const pool = yield* ConnectionPool.make({ name: "orders", size: 5 })
        const use = <A, E>(then: Effect.Effect<A, E>) =>
          Effect.exit(Effect.scoped(Effect.andThen(pool.lease(Effect.void), then)))
        yield* use(Effect.fail("sold out"))
        yield* use(Effect.die("a bug"))
        yield* Fiber.interrupt(yield* leaseForEver(pool))
        yield* Effect.exit(Effect.scoped(pool.lease(Effect.fail("refused"))))
        const inLine = yield* Effect.forkChild(Effect.scoped(pool.lease(Effect.never)), { startImmediately: true })
        yield* Fiber.interrupt(inLine)
        assert.deepStrictEqual(yield* pool.stats, { inUse: 0, waiting: 0, size: 5, taken: 3, timeouts: 0 })
      })
      yield* Recorder.recordTo(program, (report) => {
        if (report._tag === "ConnectionWaited") outcomes.push(report.outcome)
      })
      assert.deepStrictEqual(outcomes, ["taken", "taken", "taken", "failed", "interrupted"])
    }))

  it.effect("is gauges, a counter and histograms under OpenTelemetry's names", () =>
    Effect.gen(function*() {
      const pool = yield* ConnectionPool.make({ name: "orders", size: 5, maxWait: "1 second" })
      yield* leaseForEver(pool)
      yield* Effect.forkChild(Effect.exit(pool.lease(Effect.never)))
      yield* TestClock.adjust("1 second")
      yield* Effect.forkChild(pool.lease(Effect.never), { startImmediately: true })
      const lines = (yield* PrometheusMetrics.format({ metricNameMapper: Names.prometheus })).split("\n")
      const of = `db_client_connection_pool_name="orders"`
      assert.includeMembers(lines, [
        `db_client_connection_count{${of},db_client_connection_state="used"} 1`,
        `db_client_connection_max{${of}} 5`,
        `db_client_connection_pending_requests{${of}} 1`,
        `db_client_connection_timeouts_total{${of}} 1`,
        `db_client_connection_wait_time_seconds_sum{${of}} 1`,
        `db_client_connection_wait_time_seconds_count{${of}} 2`
      ])
    }).pipe(
      Effect.scoped,
      Effect.provide(Metrics.layer, { local: true }),
      Effect.provideService(Metric.MetricRegistry, new Map())
    ))

  it("refuses a pool of nothing and a wait without end", () => {
    assert.throws(() => ConnectionPool.make({ name: "orders", size: 0 }), InvalidOption.InvalidOption, /size/)
    assert.throws(() => ConnectionPool.make({ name: "orders", size: 5, maxWait: "Infinity" }), /maxWait/)
  })
})

const moves: Array<readonly [inUse: number, waiting: number]> = []
const Counted = ConnectionPool.layer({
  name: "orders",
  size: 2,
  maxWait: "200 millis",
  compiler: PgClient.makeCompiler()
}).pipe(
  Layer.provideMerge(pgTest({ client: { maxConnections: 2 } })),
  Layer.provide(Layer.succeed(Recorder.Current, (report) => {
    if (report._tag === "PoolMoved") moves.push([report.inUse, report.waiting])
  }))
)

/** What is in use while `effect` runs, at most, and afterwards. */
const watched = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    moves.length = 0
    const value = yield* effect
    return { value, most: Math.max(...moves.map(([inUse]) => inUse)), left: moves.at(-1)?.[0] }
  })

describe("ConnectionPool around PgClient", () => {
  testLayer(Counted, { excludeTestServices: true, timeout: "60 seconds" })("one database", (it) => {
    // The listeners of layers read the recorder where they run.
    const counted = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      Recorder.recordTo(effect, (report) => {
        if (report._tag === "PoolMoved") moves.push([report.inUse, report.waiting])
      })

    it.effect("counts statements, transactions once with all in them, streams and reservations", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        assert.deepStrictEqual(yield* watched(sql`select 1 as n`), { value: [{ n: 1 }], most: 1, left: 0 })
        const nested = sql.withTransaction(
          Effect.andThen(sql`select 1`, sql.withTransaction(Effect.andThen(sql`select 2`, sql`select 3 as n`)))
        )
        assert.deepStrictEqual(yield* watched(nested), { value: [{ n: 3 }], most: 1, left: 0 })
        const stream = Stream.runCollect(sql<{ n: number }>`select generate_series(1, 3) as n`.stream)
        assert.deepStrictEqual((yield* watched(stream)).most, 1)
        assert.deepStrictEqual((yield* watched(Effect.scoped(sql.reserve))).left, 0)
        // Both are open before they are needed at once: opening one can take longer than the statements.
        assert.strictEqual((yield* watched(Effect.scoped(Effect.all([sql.reserve, sql.reserve])))).most, 2)
        const both = Effect.all([sql`select pg_sleep(0.05)`, sql`select pg_sleep(0.05)`], { concurrency: 2 })
        assert.strictEqual((yield* watched(both)).most, 2)
      }).pipe(counted))

    it.effect("gives who waits too long a SqlError that says so, and its connection to nobody", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const scope = yield* Scope.make()
        yield* Effect.all([sql.reserve, sql.reserve]).pipe(Scope.provide(scope))
        const error = yield* Effect.flip(sql`select 1`)
        assert.isTrue(SqlError.isSqlError(error))
        assert.deepStrictEqual(
          ConnectionPool.timeoutOf(error),
          Option.some(new ConnectionPool.PoolTimeout({ pool: "orders", size: 2, inUse: 2, maxWaitMillis: 200 }))
        )
        assert.strictEqual(error.message, "2 of 2 connections in use, none free within 200 ms")
        assert.strictEqual((yield* Effect.flip(sql.withTransaction(sql`select 1`)))._tag, "SqlError")
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(moves.at(-1), [0, 0])
        assert.strictEqual((yield* sql`select 1`).length, 1)
        assert.isTrue(Option.isNone(ConnectionPool.timeoutOf(yield* Effect.flip(sql`select no_such_column`))))
      }).pipe(counted))

    it.effect("a transaction is the same transaction: it rolls back, says when a commit did not, and tells after it", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table counted (n int not null)`
        yield* Effect.exit(sql.withTransaction(Effect.andThen(sql`insert into counted values (1)`, Effect.fail("no"))))
        const aborted = sql.withTransaction(Effect.ignore(sql`insert into counted values (null)`))
        assert.match((yield* Effect.flip(aborted)).message, /COMMIT rolled back an aborted transaction/)
        let told = 0
        yield* sql.withTransaction(
          Effect.andThen(sql`insert into counted values (2)`, sql.afterCommit(Effect.sync(() => void told++)))
        )
        assert.deepStrictEqual(yield* sql`select n from counted`, [{ n: 2 }])
        assert.strictEqual(told, 1)
      }))

    it.effect("a listener has a connection for as long as it listens", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const { listen } = sql as PgClient.PgClient
        const { most } = yield* watched(Effect.scoped(Effect.andThen(listen("news"), sql`notify news`)))
        assert.strictEqual(most, 2)
        assert.deepStrictEqual(moves.at(-1), [0, 0])
      }).pipe(counted))

    it.effect("the stores work over it, and a dry pool is StoreUnavailable to them", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const store = yield* EventStore.EventStore
        const stream = fresh()
        yield* store.append({ stream, expect: "any", events: some(2) })
        assert.strictEqual(yield* store.version(stream), 2)
        const refused = yield* Effect.scoped(
          Effect.andThen(Effect.all([sql.reserve, sql.reserve]), Effect.flip(store.version(stream)))
        )
        assert.strictEqual(refused._tag, "StoreUnavailable")
      }).pipe(Effect.provide(PgStore.layer({ listen: false }))))
  })
})
