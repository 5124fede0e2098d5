import { assert, describe, it, layer as testLayer } from "@effect/vitest"
import { Effect, Exit, Layer, Schema, Stream } from "effect"
import { EventStore, MemoryStore, UnitOfWork } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { SqlClient } from "effect/sql"
import { pgTest } from "../postgres.ts"
import { fresh, orders, some, storeContract } from "./contract.ts"

const Pg = PgStore.layer({ collections: [orders] }).pipe(Layer.provideMerge(pgTest({ client: { maxConnections: 20 } })))

storeContract("PgStore", Pg)
storeContract(
  "PgStore with a cache",
  PgStore.layer({ collections: [orders], cache: { capacity: 100, timeToLive: "1 minute" } }).pipe(
    Layer.provideMerge(pgTest({ client: { maxConnections: 20 } }))
  )
)

describe("PgStore, of PostgreSQL only", () => {
  testLayer(Pg, { excludeTestServices: true, timeout: "60 seconds" })("one database", (it) => {
    for (
      const statement of ["update es.events set type = 'x'", "delete from es.events", "truncate es.events cascade"]
    ) {
      it.effect(`refuses "${statement}"`, () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          const stream = fresh()
          yield* EventStore.EventStore.use((store) => store.append({ stream, expect: "any", events: some(1) }))
          assert.isTrue(Exit.isFailure(yield* Effect.exit(sql.unsafe(statement))))
          assert.strictEqual(yield* EventStore.EventStore.use((store) => store.version(stream)), 1)
        }))
    }
    it.effect("is typed as unavailable when its connection is killed, and works again", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const unit = yield* UnitOfWork.UnitOfWork
        const store = yield* EventStore.EventStore
        const stream = fresh()
        const error = yield* unit.run(Effect.gen(function*() {
          yield* store.append({ stream, expect: "any", events: some(1) })
          yield* Effect.exit(sql`select pg_terminate_backend(pg_backend_pid())`)
          return yield* store.append({ stream, expect: "any", events: some(1) })
        })).pipe(Effect.flip)
        assert.strictEqual(error._tag, "StoreUnavailable")
        yield* store.append({ stream, expect: "any", events: some(1) })
        assert.strictEqual(yield* store.version(stream), 1)
      }))
    it.effect("passes a typed error of the caller through untouched", () =>
      Effect.gen(function*() {
        const mine = yield* UnitOfWork.UnitOfWork.use((unit) => unit.run(Effect.fail({ mine: true }))).pipe(Effect.flip)
        assert.deepStrictEqual(mine, { mine: true })
      }))
    it.effect("is migrated once by three that start together", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const start = Effect.scoped(Layer.build(Layer.fresh(PgStore.layer({ schema: "together" })))).pipe(
          Effect.provideService(SqlClient.SqlClient, sql)
        )
        yield* Effect.all([start, start, start], { concurrency: "unbounded" })
        const [row] = yield* sql<{ n: number }>`select count(*)::int as n from information_schema.tables
          where table_schema = 'together' and table_name = 'events'`
        assert.strictEqual(row?.n, 1)
      }))
  })
})

const Step = Schema.Struct({
  stream: Schema.Literals(["a", "b"]),
  expect: Schema.Union([
    Schema.Literals(["any", "noStream", "streamExists"]),
    Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4 }))
  ]),
  count: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 3 })),
  command: Schema.Literals(["", "c-1", "c-2"])
})

describe("PgStore and MemoryStore", () => {
  it.effect.prop(
    "answer any history of appends alike",
    [Schema.Array(Step).check(Schema.isMaxLength(12))],
    ([steps]) =>
      Effect.gen(function*() {
        const play = Effect.gen(function*() {
          const store = yield* EventStore.EventStore
          const answers: Array<unknown> = []
          for (const { command, count, expect, stream } of steps) {
            const result = yield* store.append({
              stream: { category: "Model", id: stream },
              expect,
              events: some(count),
              ...(command === "" ? {} : { commandId: command })
            })
            answers.push(
              result._tag === "Conflict" ? result : [result.firstVersion, result.version, result.replayed]
            )
          }
          for (const id of ["a", "b"]) {
            const all = yield* Stream.runCollect(store.read({ category: "Model", id }))
            answers.push(all.map((event) => [event.version, event.data]))
          }
          return answers
        })
        const schema = `m${
          Math.abs(JSON.stringify(steps).split("").reduce((h, c) => (h * 31 + c.charCodeAt(0)) | 0, 7))
        }`
        const inMemory = yield* Effect.provide(play, Layer.fresh(MemoryStore.layer))
        const inPg = yield* Effect.provide(play, Layer.fresh(PgStore.layer({ schema })))
        assert.deepStrictEqual(inPg, inMemory)
      }).pipe(Effect.provide(pgTest())),
    { arbitrary: { runs: 25 }, timeout: 60_000 }
  )
})
