import { PgClient } from "@effect/sql-pg"
import { assert, describe, it, layer as testLayer } from "@effect/vitest"
import { Effect, Exit, Layer, Option, Result, Schema, Stream, String as Str } from "effect"
import { EventStore, IdempotencyStore, MemoryStore, StateStore, UnitOfWork } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { SqlClient } from "effect/sql"
import { pgTest } from "../postgres.ts"
import { fresh, orders, some } from "./contract.ts"

const events = EventStore.EventStore
const Pg = PgStore.layer({ collections: [orders] }).pipe(Layer.provideMerge(pgTest({ client: { maxConnections: 20 } })))

describe("PgStore at the edges", () => {
  testLayer(Pg, { excludeTestServices: true, timeout: "60 seconds" })("one database", (it) => {
    it.effect("keeps every string that JavaScript has", () =>
      Effect.gen(function*() {
        const store = yield* StateStore.StateStore
        const Notes = StateStore.collection({
          name: "it's \\ notes",
          schema: Schema.Struct({ "the 'text' \\": Schema.String }),
          indexes: ["the 'text' \\"]
        })
        const texts = ["a\0b", "\ud800", "\udc00x", "\ue0000000", "\\u0000", "😀 \" '", "\ue000"]
        for (const [index, text] of texts.entries()) {
          yield* store.put(Notes, { id: `n-${index}`, version: 1, state: { "the 'text' \\": text } })
          const found = yield* store.get(Notes, `n-${index}`)
          assert.strictEqual(Option.getOrThrow(found).state["the 'text' \\"], text)
          const page = yield* store.query(Notes, { where: { "the 'text' \\": text } })
          assert.deepStrictEqual(page.rows.map((row) => row.id), [`n-${index}`])
        }
        let cursor: string | undefined
        const seen: Array<string> = []
        do {
          const page = yield* store.query(Notes, { orderBy: "the 'text' \\", limit: 2, cursor })
          seen.push(...page.rows.map((row) => row.id))
          cursor = page.next
        } while (cursor !== undefined)
        assert.deepStrictEqual(seen.toSorted(), texts.map((_, index) => `n-${index}`))

        const stream = fresh()
        const data = { text: "a\0b \ud800" }
        yield* events.use((store) => store.append({ stream, expect: "any", events: [{ type: "T", data }] }))
        const [event] = yield* events.use((store) => Stream.runCollect(store.read(stream)))
        assert.deepStrictEqual(event?.data, data)
      }))

    it.effect("answers that a name which cannot be stored is not there", () =>
      Effect.gen(function*() {
        const stream = { category: "Order", id: "a\0b" }
        const store = yield* events
        assert.strictEqual(yield* store.version(stream), 0)
        assert.deepStrictEqual(yield* Stream.runCollect(store.read(stream)), [])
        assert.isTrue(Option.isNone(yield* store.findAppend(stream, "c")))
        assert.isTrue(Option.isNone(yield* store.findAppend(fresh(), "\0")))
        const states = yield* StateStore.StateStore
        assert.isTrue(Option.isNone(yield* states.get(orders, "a\0b")))
        yield* states.remove(orders, "a\0b")
        const error = yield* store.append({ stream, expect: "any", events: some(1) }).pipe(Effect.flip)
        assert.deepInclude({ ...error }, { _tag: "InvalidAppend", field: "stream.id" })
      }))

    it.effect("takes idempotency keys of any length and content", () =>
      Effect.gen(function*() {
        const keys = yield* IdempotencyStore.IdempotencyStore
        const key = { scope: "s", key: `\0\ud800${"k".repeat(100_000)}` }
        const options = { fingerprint: "f", lease: "1 minute", timeToLive: "Infinity" } as const
        const claimed = yield* keys.claim(key, options)
        assert.strictEqual(claimed._tag, "Claimed")
        const token = claimed._tag === "Claimed" ? claimed.token : ""
        assert.isTrue(yield* keys.complete(key, token, "answer"))
        assert.deepStrictEqual(yield* keys.claim(key, options), { _tag: "Completed", answer: "answer" })
      }))

    it.effect("answers queries from the declared indexes", () =>
      Effect.gen(function*() {
        const store = yield* StateStore.StateStore
        const sql = yield* SqlClient.SqlClient
        yield* sql`insert into es.states (collection, id, version, data)
          select 'orders', 'x-' || i, 1, jsonb_build_object('userId', 'u-' || i, 'total', i, 'open', true)
          from generate_series(1, 5000) as i`
        yield* sql`analyze es.states`
        const page = yield* store.query(orders, { where: { userId: "u-77" } })
        assert.deepStrictEqual(page.rows.map((row) => row.id), ["x-77"])
        const plan = yield* sql`explain select id from es.states
          where collection = 'orders' and coalesce(data -> 'userId', 'null'::jsonb) = '"u-77"'::jsonb`.values
        assert.match(JSON.stringify(plan), /states_[0-9a-f]{32}/)
      }))

    it.effect("knows the stream of each event where there are more streams than it remembers", () =>
      Effect.gen(function*() {
        const store = yield* events
        const sql = yield* SqlClient.SqlClient
        const tenant = "of many streams"
        const many = 10_500
        yield* sql`with made as (
            insert into es.streams (tenant, category, name, version)
              select ${tenant}, 'Many', 'm-' || i, 2 from generate_series(1, ${many}::int) as i returning id, name
          ) insert into es.events (stream_id, version, event_id, type, schema_version, data, meta, at, checksum)
            select id, version, gen_random_uuid(), 'Came', 1, to_json(name), '{}', now(), ''
            from made, generate_series(1, 2) as version order by id + 500 * version`
        const readers = yield* Effect.all(
          Array.from({ length: 3 }, () => Stream.runCollect(store.readAll({ tenants: [tenant] }))),
          { concurrency: "unbounded" }
        )
        for (const all of readers) {
          assert.lengthOf(all, 2 * many)
          assert.isTrue(all.every(({ data, stream }) => data === stream.id && stream.tenant === tenant))
        }
      }))

    it.effect("lets batches over the same streams in opposite order all through", () =>
      Effect.gen(function*() {
        const store = yield* events
        const ids = [fresh(), fresh(), fresh(), fresh()]
        const batch = (order: ReadonlyArray<EventStore.StreamId>) =>
          store.appendAll(order.map((stream) => ({ stream, expect: "any" as const, events: some(2) })))
        const results = yield* Effect.forEach(
          Array.from({ length: 24 }, (_, i) => i % 2 === 0 ? ids : ids.toReversed()),
          batch,
          { concurrency: "unbounded" }
        )
        assert.isTrue(results.flat().every((result) => result._tag === "Appended"))
        for (const id of ids) assert.strictEqual(yield* store.version(id), 48)
      }))

    it.effect("passes a SqlError of the caller through untouched, and leaves the transaction of a nested failure whole", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const unit = yield* UnitOfWork.UnitOfWork
        const error = yield* unit.run(sql`select nope`).pipe(Effect.flip)
        assert.strictEqual(error._tag, "SqlError")
        const stream = fresh()
        const store = yield* events
        yield* unit.run(
          unit.run(Effect.andThen(store.append({ stream, expect: "any", events: some(1) }), Effect.fail("no"))).pipe(
            Effect.ignore
          )
        )
        assert.strictEqual(yield* store.version(stream), 1)
      }))

    it.effect("is used by two pools at once", () =>
      Effect.gen(function*() {
        const { config } = yield* PgClient.PgClient
        const other = PgStore.layer().pipe(Layer.provide(PgClient.layer({ ...config, maxConnections: 4 })))
        const stream = fresh()
        const append = events.use((store) => store.append({ stream, expect: "any", events: some(1) }))
        const theirs = Effect.forEach(Array.from({ length: 20 }), () => append, { concurrency: 8 }).pipe(
          Effect.provide(Layer.fresh(other))
        )
        const ours = Effect.forEach(Array.from({ length: 20 }), () => append, { concurrency: 8 })
        yield* Effect.all([ours, theirs], { concurrency: "unbounded" })
        assert.strictEqual(yield* events.use((store) => store.version(stream)), 40)
      }))

    it.effect("takes a client that renames columns, and a schema named like a reserved word", () =>
      Effect.gen(function*() {
        const { config } = yield* PgClient.PgClient
        const renaming = PgClient.layer({
          ...config,
          maxConnections: 4,
          transformQueryNames: Str.camelToSnake,
          transformResultNames: Str.snakeToCamel
        })
        const stream = fresh()
        const [result, error] = yield* Effect.gen(function*() {
          const store = yield* events
          const result = yield* store.append({ stream, expect: "noStream", events: some(1), commandId: "c" })
          const states = yield* StateStore.StateStore
          yield* states.put(orders, { id: "o", version: 1, state: { userId: "u", total: 1, open: true } })
          assert.strictEqual((yield* states.query(orders, { where: { userId: "u" } })).rows.length, 1)
          return [result, yield* Effect.exit(store.append({ stream, expect: 7, events: some(1) }))]
        }).pipe(Effect.provide(PgStore.layer({ schema: "user" }).pipe(Layer.provide(renaming), Layer.fresh)))
        assert.deepInclude({ ...result }, { _tag: "Appended", version: 1 })
        assert.deepStrictEqual(error, Exit.succeed({ _tag: "Conflict", expected: 7, actual: 1 }))
      }))

    it.effect("names the option when the schema has no usable name", () =>
      Effect.gen(function*() {
        const result = yield* Effect.scoped(Layer.build(Layer.fresh(PgStore.layer({ schema: "Es; drop" })))).pipe(
          Effect.result
        )
        assert.isTrue(Result.isFailure(result) && result.failure._tag === "InvalidOption")
      }))
  })
})

const Step = Schema.Array(Schema.Struct({
  stream: Schema.Literals(["a", "b", "c"]),
  expect: Schema.Union([
    Schema.Literals(["any", "noStream", "streamExists"]),
    Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 }))
  ]),
  count: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 2 })),
  command: Schema.Literals(["", "", "c-1", "c-2"])
})).check(Schema.isMinLength(1), Schema.isMaxLength(4))

let histories = 0

describe("PgStore and MemoryStore, in batches", () => {
  testLayer(Pg, { excludeTestServices: true, timeout: "120 seconds" })("one database", (it) => {
    it.effect.prop(
      "answer any history of batches alike",
      [Schema.Array(Step).check(Schema.isMaxLength(6))],
      ([batches]) =>
        Effect.gen(function*() {
          const tenant = `history-${++histories}`
          const play = Effect.gen(function*() {
            const store = yield* events
            const answers: Array<unknown> = []
            for (const batch of batches) {
              const results = yield* store.appendAll(batch.map(({ command, count, expect, stream }) => ({
                stream: { tenant, category: "Model", id: stream },
                expect,
                events: some(count),
                ...(command === "" ? {} : { commandId: command })
              })))
              answers.push(results.map((result) => ({ ...result, position: undefined })))
            }
            for (const id of ["a", "b", "c"]) {
              const all = yield* Stream.runCollect(store.read({ tenant, category: "Model", id }))
              answers.push(all.map((event) => [event.version, event.data]))
            }
            return answers
          })
          const inMemory = yield* Effect.provide(play, Layer.fresh(MemoryStore.layer))
          assert.deepStrictEqual(yield* play, inMemory)
        }),
      { arbitrary: { runs: 60 }, timeout: 60_000 }
    )
  })
})

describe("MemoryStore at the edges", () => {
  it.effect("keeps what was stored from the hands of readers and writers", () =>
    Effect.gen(function*() {
      const store = yield* events
      const stream = fresh()
      const data = { list: [1] }
      yield* store.append({ stream, expect: "any", events: [{ type: "T", data }] })
      data.list.push(2)
      const [first] = yield* Stream.runCollect(store.read(stream))
      ;(first!.data as typeof data).list.push(3)
      const [second] = yield* Stream.runCollect(store.read(stream))
      assert.deepStrictEqual(second?.data, { list: [1] })
    }).pipe(Effect.provide(MemoryStore.layer)))

  it.effect("refuses a fiber that outlives its transaction", () =>
    Effect.gen(function*() {
      const store = yield* events
      const unit = yield* UnitOfWork.UnitOfWork
      const late = yield* unit.run(Effect.map(Effect.context<never>(), (context) => context))
      const exit = yield* Effect.exit(
        Effect.provideContext(store.append({ stream: fresh(), expect: "any", events: some(1) }), late)
      )
      assert.isTrue(Exit.isFailure(exit))
    }).pipe(Effect.provide(MemoryStore.layer)))
})
