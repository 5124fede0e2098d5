import { assert, describe, layer as testLayer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { StateStore } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { SqlClient } from "effect/sql"
import { pgTest } from "../postgres.ts"
import { appendContract } from "./appendContract.ts"
import { orders } from "./contract.ts"

const pg = pgTest({ client: { maxConnections: 20 } })

appendContract("PgStore", PgStore.layer({ collections: [orders] }).pipe(Layer.provideMerge(pg)))
appendContract(
  "PgStore without coalescing, with a cache",
  PgStore.layer({
    collections: [orders],
    coalesce: false,
    cache: { capacity: 100, timeToLive: "1 minute" }
  }).pipe(Layer.provideMerge(pg))
)

describe("the schema of another version", () => {
  testLayer(pg, { excludeTestServices: true, timeout: "60 seconds" })("of the library", (it) => {
    const start = (schema: string, migrate = true) =>
      Effect.scoped(Layer.build(Layer.fresh(PgStore.layer({ schema, migrate })))).pipe(Effect.flip)
    it.effect("is refused at the start when it is newer, and the error says what to do", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* Effect.scoped(Layer.build(Layer.fresh(PgStore.layer({ schema: "newer" }))))
        yield* sql`insert into newer.migrations (migration_id, name) values (999, 'time_travel')`
        for (const migrate of [true, false]) {
          const error = yield* start("newer", migrate)
          assert.strictEqual(error._tag, "MigrationError")
          assert.match(error.message, /"newer".*another version.*999 \(time_travel\).*a later one, or/)
        }
      }))
    it.effect("is refused when a step of the same number was another one", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* Effect.scoped(Layer.build(Layer.fresh(PgStore.layer({ schema: "forked" }))))
        yield* sql`update forked.migrations set name = 'other' where migration_id = 2`
        assert.match((yield* start("forked")).message, /step 2 \(other\)/)
      }))
    it.effect("is refused when it is older or missing and nobody may migrate", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* Effect.scoped(Layer.build(Layer.fresh(PgStore.layer({ schema: "older" }))))
        yield* sql`delete from older.migrations where migration_id = (select max(migration_id) from older.migrations)`
        assert.match((yield* start("older", false)).message, /"older" lacks 1 of/)
        assert.match((yield* start("nowhere", false)).message, /"nowhere" lacks \d+ of.*Migrate it first/)
      }))
    it.effect("keeps the states that were there before tenants, and gives them to no tenant", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const rows = yield* Effect.gen(function*() {
          const store = yield* StateStore.StateStore
          yield* sql`insert into before.states (collection, id, version, data)
            values ('orders', 'old', 1, '{"userId":"u","total":1,"open":true}')`
          return (yield* store.query(orders, { where: { userId: "u" } })).rows
        }).pipe(Effect.provide(Layer.fresh(PgStore.layer({ schema: "before", collections: [orders] }))))
        assert.deepStrictEqual(rows.map(({ id }) => id), ["old"])
      }))
  })
})
