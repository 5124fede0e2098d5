import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { Database } from "effect-lifecycle/testing"
import { address, PgTest } from "../postgres.ts"

const databaseName = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ name: string }>`select current_database() as name`
  return rows[0]!.name
})

const exists = (name: string) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    return (yield* sql`select 1 from pg_database where datname = ${name}`).length > 0
  })

/** The same server by another name. */
const elsewhere = (
  address: Database.Address,
  { database, username }: { readonly database: string; readonly username?: string | undefined }
): Database.Address => {
  if (!("url" in address)) return { path: address.path, username: username ?? address.username, database }
  const url = new URL(address.url)
  url.pathname = database
  if (username !== undefined) Object.assign(url, { username, password: "humble" })
  return { url: url.href }
}

describe("Database", () => {
  layer(PgTest)("with a database of the run's server", (it) => {
    it.effect("answers queries also when the test's clock stands still", () =>
      Effect.gen(function*() {
        assert.match(yield* databaseName, /^lifecycle_tmp_[0-9a-f]{16}$/)
      }))

    it.effect("gives each build a database of its own and drops it afterwards", () =>
      Effect.gen(function*() {
        const other = yield* databaseName.pipe(
          Effect.tap((name) => Effect.map(exists(name), (found) => assert.isTrue(found))),
          Effect.provide(Layer.fresh(PgTest), { local: true })
        )
        assert.notStrictEqual(other, yield* databaseName)
        assert.isFalse(yield* exists(other))
      }))

    it.effect("keeps a database that has a name", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const name = `kept_${(yield* databaseName).slice(-16)}`
        const named = Effect.map(address, (address) => Database.layerAt(address, { name }))
        const inNamed = <A, E>(effect: Effect.Effect<A, E, SqlClient.SqlClient>) =>
          Effect.flatMap(named, (layer) => Effect.provide(effect, layer, { local: true }))
        yield* inNamed(Effect.flatMap(SqlClient.SqlClient, (sql) => sql`create table kept (n int)`))
        const rows = yield* inNamed(Effect.flatMap(SqlClient.SqlClient, (sql) => sql`select * from kept`))
        assert.deepStrictEqual(rows, [])
        yield* sql.unsafe(`drop database ${name}`)
      }))

    it.effect("takes a schema where the user may not create databases", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const database = yield* databaseName
        const role = `humble_${database.slice(-16)}`
        yield* sql.unsafe(`create role ${role} login password 'humble'`)
        yield* sql.unsafe(`grant create on database ${database} to ${role}`)
        const humble = Database.layerAt(elsewhere(yield* address, { username: role, database }))
        const schema = yield* Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* sql`create table mine (n int)`
          const rows = yield* sql<
            { schema: string }
          >`select current_schema() as schema from mine right join (select 1) on true`
          return rows[0]!.schema
        }).pipe(Effect.provide(humble, { local: true }))
        assert.match(schema, /^lifecycle_tmp_/)
        assert.deepStrictEqual(yield* sql`select 1 from pg_namespace where nspname = ${schema}`, [])

        yield* sql.unsafe(`revoke create on database ${database} from ${role}`)
        const error = yield* Effect.flip(Effect.scoped(Layer.build(humble)))
        assert.strictEqual(error.reason, "NotAllowed")
        yield* sql.unsafe(`drop role ${role}`)
      }))
  })

  describe("errors", () => {
    const failure = (url: string) => Effect.flip(Effect.scoped(Database.makeServer({ url })))

    it.effect("names the address of a server that does not answer, never the password", () =>
      Effect.gen(function*() {
        const error = yield* failure("postgres://me:s3cret@127.0.0.1:1/shop")
        assert.strictEqual(error.reason, "Unreachable")
        assert.match(error.message, /No PostgreSQL answers at 127\.0\.0\.1:1 \(.*ECONNREFUSED/)
        assert.notInclude(error.message, "s3cret")
      }))

    it.effect("says how an address is written when it is none", () =>
      Effect.gen(function*() {
        for (const url of ["nonsense s3cret", "http://me:s3cret@localhost/x", "postgres://me:s3cret@host:99999/x"]) {
          const error = yield* failure(url)
          assert.strictEqual(error.reason, "InvalidUrl")
          assert.include(error.message, "postgres://user:password@host:5432/database")
          assert.notInclude(error.message, "s3cret")
        }
      }))

    it.effect("refuses a name that is none", () =>
      Effect.gen(function*() {
        const server = yield* address
        const error = yield* Effect.flip(Effect.scoped(Layer.build(Database.layerAt(server, { name: "a\"; drop" }))))
        assert.strictEqual(error.reason, "InvalidName")
      }))

    it.effect("says which database is missing", () =>
      Effect.gen(function*() {
        const server = yield* address
        const missing = elsewhere(server, { database: "not_there" })
        const error = yield* Effect.flip(Database.version(missing))
        assert.strictEqual(error.reason, "Missing")
        assert.include(error.message, "not_there")
      }))
  })
})
