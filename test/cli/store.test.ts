import { assert, describe, it } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { NodeServices } from "@effect/platform-node"
import { Cause, Console, Effect, Exit, Option, Redacted, Runtime, Stream } from "effect"
import { CliError, Command } from "effect/cli"
import { EventStore, Projection } from "effect-lifecycle/store"
import { SqlClient } from "effect/sql"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { store as command } from "../../src/cli/store.ts"
import { pgTest } from "../postgres.ts"
import { fill, storeLayer } from "../store/filledStore.ts"
import { type Ended, lifecycle, root } from "./command.ts"
import { projections, tellings } from "./store.projections.ts"

const app = join(root, "test", "cli", "store.projections.ts")

/** The address of the test's database, as a person would write it. */
const addressOf = Effect.map(PgClient.PgClient, ({ config }) => {
  if (config.url !== undefined) {
    const url = new URL(Redacted.value(config.url) as string)
    if (config.database !== undefined) url.pathname = `/${config.database}`
    return url.href
  }
  return `postgres://${config.username}@localhost/${config.database}?host=${
    encodeURIComponent(dirname(config.path ?? ""))
  }`
})

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(join(tmpdir(), "lc-store-"))),
  (path) => Effect.sync(() => fs.rmSync(path, { recursive: true, force: true }))
)

/** The command in this process: it ends as `program.ts` ends it, and takes no second to start. */
const here = (args: ReadonlyArray<string>): Effect.Effect<Ended> =>
  Effect.gen(function*() {
    const out: Array<string> = []
    const err: Array<string> = []
    const console = {
      ...globalThis.console,
      log: (text: string) => void out.push(`${text}\n`),
      error: (text: string) => void err.push(`${text}\n`)
    }
    const exit = yield* Command.runWith(command, { version: "0" })(args).pipe(
      Effect.provideService(Console.Console, console),
      Effect.provide(NodeServices.layer),
      Effect.exit
    )
    const error = Exit.isSuccess(exit) ? undefined : Option.getOrThrow(Cause.findErrorOption(exit.cause))
    const asked = CliError.isCliError(error)
    if (error !== undefined && !asked) err.push(`${error.message}\n`)
    const code = error === undefined ? 0 : asked ? 2 : Runtime.getErrorExitCode(error)
    return { code, out: out.join(""), err: err.join("") }
  })

describe("lifecycle store", () => {
  it.live(
    "migrates, verifies, exports and imports a store, rebuilds a projection and shreds a person",
    () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const url = yield* addressOf
        const store = (...args: ReadonlyArray<string>) => here([...args, "--url", url])
        const spawned = (...args: ReadonlyArray<string>) =>
          lifecycle(["store", ...args], { env: { DATABASE_URL: url } })
        const directory = yield* folder
        const file = join(directory, "orders.ndjson")

        const missing = yield* store("verify", "--schema", "orders")
        assert.deepStrictEqual([missing.code, missing.out], [3, ""])
        assert.match(
          missing.err,
          /There is no store in the schema "orders"; there is none in any other.*migrate --schema orders/
        )

        const dry = yield* store("migrate", "--schema", "orders", "--dry-run")
        assert.deepStrictEqual([dry.code, dry.err], [0, ""])
        assert.match(dry.out, /^begin;\n[^]*create table "orders"\.streams \([^]*\ncommit;\n$/)
        assert.deepStrictEqual(yield* sql`select 1 from pg_namespace where nspname = 'orders'`, [])
        const migrated = yield* store("migrate", "--schema", "orders")
        assert.deepStrictEqual([migrated.code, migrated.err], [0, ""])
        assert.match(migrated.out, /^The schema "orders" is up to date. It lacked:\n  1 tables\n/)
        assert.strictEqual(
          (yield* store("migrate", "--schema", "orders")).out,
          "The schema \"orders\" is up to date.\n"
        )

        const name = yield* store("migrate", "--schema", "No")
        assert.deepStrictEqual([name.code, name.out], [2, ""])
        assert.match(name.err, /schema must be 1 to 48 lower case letters/)

        yield* fill("orders").pipe(Effect.provide(storeLayer("orders")))
        const sound = yield* store("verify", "--schema", "orders")
        assert.deepStrictEqual([sound.code, sound.err], [0, ""])
        assert.match(sound.out, /^OK     versions: [^]*\n\d+ streams, 22 events\.\n$/)
        assert.notInclude(sound.out, "FAULT")

        const exported = yield* store("export", file, "--schema", "orders", "--json")
        assert.deepStrictEqual([exported.code, exported.err], [0, ""])
        const { rows, sha256 } = JSON.parse(exported.out) as { rows: Record<string, number>; sha256: string }
        assert.strictEqual(rows.events, 22)
        assert.deepStrictEqual(fs.readdirSync(directory), ["orders.ndjson"])
        assert.strictEqual(fs.statSync(file).mode & 0o777, 0o600)
        const twice = yield* store("export", file, "--schema", "orders")
        assert.deepStrictEqual([twice.code, twice.out], [2, ""])
        assert.match(twice.err, /is there already/)
        const piped = yield* spawned("export", "-", "--schema", "orders")
        assert.strictEqual(piped.out.split("\n").length, fs.readFileSync(file, "utf8").split("\n").length)

        const imported = yield* store("import", file, "--schema", "copy", "--sha256", sha256)
        assert.deepStrictEqual([imported.code, imported.err], [0, ""])
        assert.include(imported.out, `22 events`)
        const again = yield* store("import", file, "--schema", "copy")
        assert.deepStrictEqual([again.code, again.out], [3, ""])
        assert.match(again.err, /"copy" is not empty/)
        fs.writeFileSync(file, fs.readFileSync(file, "utf8").replace("YearClosed", "YearKilled"))
        const tampered = yield* store("import", file, "--schema", "third")
        assert.deepStrictEqual([tampered.code, tampered.out], [1, ""])
        assert.match(tampered.err, /^Line \d+ is refused: its checksum does not fit/)
        const nothing = yield* store("import", join(directory, "nowhere"), "--schema", "third")
        assert.deepStrictEqual([nothing.code, nothing.out], [3, ""])
        assert.match(nothing.err, /cannot be read: ENOENT/)

        const unknown = yield* store("rebuild", "moving", "--app", app, "--schema", "copy")
        assert.deepStrictEqual([unknown.code, unknown.out], [2, ""])
        assert.match(unknown.err, /no projection "moving"; it exports .*"moves"/)
        yield* Projection.Projections.use((service) => service.rebuild(projections[0])).pipe(
          Effect.provide(storeLayer("copy"))
        )
        const rebuilt = yield* store("rebuild", "moves", "--app", app, "--schema", "copy", "--json")
        assert.deepStrictEqual(rebuilt, { code: 0, out: `{"name":"moves","version":2,"replaced":1}\n`, err: "" })
        const [row] =
          yield* sql`select data from copy.states where collection = 'moves@2' and tenant = '' and id = 'plain'`
        assert.strictEqual(row?.data, 80)
        const live = yield* store("rebuild", "moves", "--app", app, "--schema", "copy")
        assert.deepStrictEqual([live.code, live.out], [1, ""])
        assert.match(live.err, /Version 2 of "moves" is live.*raise the version/)
        const rowsOf =
          sql`select collection from copy.states where collection in ('moves@1', 'moves@2') group by 1 order by 1`
        assert.lengthOf(yield* rowsOf, 2)
        const dropped = yield* store("rebuild", "moves", "--app", app, "--schema", "copy", "--drop-retired")
        assert.deepStrictEqual(dropped, {
          code: 0,
          out: "Version 2 of \"moves\" is live.\nWhat version 1 had left is dropped.\n",
          err: ""
        })
        assert.deepStrictEqual(yield* rowsOf, [{ collection: "moves@2" }])
        const noModule = yield* store("rebuild", "moves", "--app", "nowhere.ts", "--schema", "copy")
        assert.deepStrictEqual([noModule.code, noModule.out], [2, ""])
        assert.match(noModule.err, /There is no module nowhere\.ts in/)
        const paused = yield* store("rebuild", "mended", "--app", app, "--schema", "copy")
        assert.deepStrictEqual([paused.code, paused.out], [1, ""])
        assert.match(paused.err, /cannot take the event at position \d+: .*not yet[^]*\nThe live version is as it was/)
        process.env["TEST_MENDED"] = "yes"
        const goesOn = yield* store("rebuild", "mended", "--app", app, "--schema", "copy")
        delete process.env["TEST_MENDED"]
        assert.deepStrictEqual([goesOn.code, goesOn.out], [0, "Version 1 of \"mended\" is live.\n"])
        const stuck = yield* store("rebuild", "broken", "--app", app, "--schema", "copy")
        assert.deepStrictEqual([stuck.code, stuck.out], [1, ""])
        assert.match(
          stuck.err,
          /^Version 1 of "broken" cannot take the event at position \d+: .*it cannot[^]*\nThe live/
        )
        yield* Effect.gen(function*() {
          yield* Projection.Projections.use((service) => service.rebuild(tellings[0]))
          yield* EventStore.EventStore.use((events) =>
            events.append({
              stream: { category: "Told", id: "t" },
              expect: "any",
              events: [{ type: "Moved", data: { by: 1 } }]
            })
          )
        }).pipe(Effect.provide(storeLayer("copy")))
        const untold = yield* store("rebuild", "told", "--app", app, "--schema", "copy")
        assert.deepStrictEqual([untold.code, untold.out], [1, ""])
        assert.match(
          untold.err,
          /^Version 2 of the projection "told" .*cannot become live at the event at position \d+: .*server says no[^]*\nThe live/
        )

        const lost = yield* store("shred", "ada", "--schema", "cpoy", "--yes")
        assert.deepStrictEqual([lost.code, lost.out], [3, ""])
        assert.match(lost.err, /no store in the schema "cpoy"; there is one in "copy", "orders": name it with --schema/)
        const mistyped = yield* store("shred", "adda", "--schema", "copy", "--yes")
        assert.deepStrictEqual([mistyped.code, mistyped.out], [1, ""])
        assert.match(mistyped.err, /neither a key nor data of "adda", so nothing was done\. Look at the id/)
        const elsewhere = yield* store("shred", "ada", "--schema", "copy", "--tenant", "acme", "--yes")
        assert.deepStrictEqual([elsewhere.code, elsewhere.out], [1, ""])
        assert.match(elsewhere.err, /of "ada" of the tenant "acme", .* known without a tenant: say which with --tenant/)
        assert.deepStrictEqual(
          yield* sql`select subject from copy.subject_keys where subject = 'adda' or tenant = 'acme'`,
          []
        )

        const asked = yield* store("shred", "ada", "--schema", "copy")
        assert.deepStrictEqual([asked.code, asked.out], [2, ""])
        assert.match(asked.err, /There is a key of "ada"\. Its data is in 1 stream\..*add --yes/)
        const shredded = yield* store("shred", "ada", "--schema", "copy", "--yes", "--json")
        assert.deepStrictEqual(JSON.parse(shredded.out), {
          tenant: "",
          subject: "ada",
          erased: true,
          streams: [{ tenant: "", category: "User", id: "ada" }],
          snapshots: 0
        })
        const before = yield* store("shred", "ada", "--schema", "copy")
        assert.deepStrictEqual([before.code, before.err], [0, ""])
        assert.match(before.out, /^"ada" was shredded before, at 20[^ ]*: there is nothing to do\.\n$/)
        const email = yield* sql`select wrapped from copy.subject_keys where subject = 'ada'`
        assert.deepStrictEqual(email, [{ wrapped: null }])

        yield* sql`alter table copy.events disable trigger append_only`
        yield* sql`update copy.events set data = '{"by":9}' where version = 2 and stream_id in (
        select id from copy.streams where tenant = 'acme')`
        const broken = yield* spawned("verify", "--schema", "copy")
        assert.deepStrictEqual([broken.code, broken.err], [1, "2 faults found.\n"])
        assert.match(
          broken.out,
          /FAULT  checksums: .*\n       stream Account plain, tenant acme, version 2, position \d+, event [0-9a-f-]{36}: its checksum/
        )
        const json = yield* store("verify", "--schema", "copy", "--json")
        const found = JSON.parse(json.out) as { faults: ReadonlyArray<{ check: string; version?: number }> }
        assert.deepStrictEqual(found.faults.map(({ check, version }) => [check, version]), [
          ["checksums", 2],
          ["protection", undefined]
        ])

        yield* sql`insert into copy.migrations (migration_id, name) values (999, 'time_travel')`
        for (const command of [["migrate"], ["verify"], ["shred", "x", "--yes"], ["export", join(directory, "new")]]) {
          const newer = yield* store(...command, "--schema", "copy")
          assert.deepStrictEqual([newer.code, newer.out], [3, ""])
          assert.match(newer.err, /another version of effect-lifecycle: step 999.*or a later one/)
        }
        const kept = yield* EventStore.EventStore.use((events) => Stream.runCollect(events.readAll({}))).pipe(
          Effect.provide(storeLayer("orders"))
        )
        assert.lengthOf(kept, 19)
      }).pipe(Effect.scoped, Effect.provide(pgTest())),
    { timeout: 120_000 }
  )

  it.live("says what is wrong with how it was asked, and what it cannot reach", () =>
    Effect.gen(function*() {
      const store = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) =>
        lifecycle(["store", ...args], { env })
      const nowhere = yield* store(["verify"])
      assert.deepStrictEqual([nowhere.code, nowhere.out], [2, ""])
      assert.match(nowhere.err, /Which database\? Set DATABASE_URL, or add --url/)
      const other = yield* store(["verify", "--url", "mysql://me:secret@db.example/shop"])
      assert.strictEqual(other.code, 2)
      assert.notInclude(other.err, "secret")
      const away = yield* store(["verify"], { DATABASE_URL: "postgres://me:secret@127.0.0.1:1/shop" })
      assert.deepStrictEqual([away.code, away.out], [3, ""])
      assert.match(away.err, /The PostgreSQL at 127\.0\.0\.1:1 cannot be used \(.*ECONNREFUSED/)
      assert.notInclude(away.err, "secret")
      const flag = yield* store(["verify", "--scheme", "es"])
      assert.strictEqual(flag.code, 2)
      assert.strictEqual((yield* store(["--help"])).code, 0)
    }))
})
