/** The folders of an embedded server: a short private one for its socket, and one for its data. */
import { Effect, type Scope } from "effect"
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { hostname, tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { EmbeddedPostgresError, fromFileSystem, fromOutput, otherVersion } from "./EmbeddedPostgresError.ts"
import { execute, type Launcher, nobody } from "./PostgresBinaries.ts"
import { isAlive } from "./PostgresProcess.ts"

export interface User {
  readonly uid: number
  readonly gid: number
}

const attempt = <A>(folder: string, f: () => A): Effect.Effect<A, EmbeddedPostgresError> =>
  Effect.try({ try: f, catch: (error) => fromFileSystem(folder, error) })

const prefix = "lifecycle-pg-"
const socketName = ".s.PGSQL.5432"

/** The longest socket address that every system takes is 103 bytes. */
const shortTemporaryFolder = (): string => {
  const folder = tmpdir()
  const longest = join(folder, `${prefix}XXXXXX`, socketName)
  return Buffer.byteLength(longest) <= 100 || !existsSync("/tmp") ? folder : "/tmp"
}

const firstNumber = (path: string): number => {
  try {
    return Number.parseInt(readFileSync(path, "utf8"), 10)
  } catch {
    return Number.NaN
  }
}

/** Removes what runs left behind whose process was killed: theirs are the folders whose owner lives no more. */
const sweep = (parent: string): void => {
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(prefix)) continue
    const folder = join(parent, name)
    try {
      const [host, pid] = readFileSync(join(folder, "owner"), "utf8").split(" ")
      if (host !== hostname() || isAlive(Number(pid))) continue
      const server = firstNumber(join(folder, `${socketName}.lock`))
      if (!Number.isNaN(server) && isAlive(server)) continue
      rmSync(folder, { recursive: true, force: true })
    } catch {
      // Another user's folder, or one that another process sweeps right now: not ours to remove.
    }
  }
}

export interface SocketFolder {
  readonly path: string
  readonly socketPath: string
}

/** A folder only the server's user (and root) can enter; gone when the scope closes. */
export const socketFolder = (
  user: User | undefined
): Effect.Effect<SocketFolder, EmbeddedPostgresError, Scope.Scope> => {
  const parent = shortTemporaryFolder()
  return Effect.acquireRelease(
    attempt(parent, () => {
      sweep(parent)
      const path = mkdtempSync(join(parent, prefix))
      writeFileSync(join(path, "owner"), `${hostname()} ${process.pid}`)
      if (user !== undefined) chownSync(path, user.uid, user.gid)
      return { path, socketPath: join(path, socketName) }
    }),
    ({ path }) =>
      Effect.ignore(attempt(path, () => rmSync(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })))
  )
}

/**
 * The user that the server runs as, or `undefined` for the one that runs this process. Only root changes it: to the owner
 * of data that is there already, else to one that owns nothing.
 */
export const serverUser = (data: string | undefined): User | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const found = data !== undefined && existsSync(join(data, "PG_VERSION")) ? statSync(data) : undefined
  return found === undefined || found.uid === 0
    ? { uid: nobody, gid: nobody }
    : { uid: found.uid, gid: found.gid }
}

/** Fills a folder with a new, empty database cluster. */
export const initialize = Effect.fnUntraced(function*(options: {
  readonly launcher: Launcher
  readonly data: string
  /** Whether the new files must be on disk before the server starts. */
  readonly durable: boolean
}): Effect.fn.Return<void, EmbeddedPostgresError> {
  const { data, durable, launcher } = options
  const { code, output } = yield* execute(launcher.commandLine(launcher.binaries.initdb, [
    "-D",
    data,
    "--auth=trust",
    "--username=postgres",
    "--encoding=UTF8",
    "--locale=C",
    ...(durable ? [] : ["--no-sync"])
  ]))
  if (code !== 0) return yield* fromOutput(data, output)
})

/** The data folder that was asked for, made and filled when it is not there. The answer is its real path. */
export const keptFolder = Effect.fnUntraced(function*(options: {
  readonly launcher: Launcher
  readonly user: User | undefined
  readonly dataDir: string
}): Effect.fn.Return<string, EmbeddedPostgresError> {
  const { launcher, user } = options
  const data = resolve(options.dataDir)
  const content = yield* attempt(data, () => {
    mkdirSync(dirname(data), { recursive: true })
    return existsSync(data) ? readdirSync(data) : []
  })
  if (content.length === 0) {
    // Filled beside its place and then moved there, so that nobody ever finds half of it.
    const fresh = yield* attempt(data, () => {
      const path = mkdtempSync(`${data}.new-`)
      if (user !== undefined) chownSync(path, user.uid, user.gid)
      return path
    })
    yield* initialize({ launcher, data: fresh, durable: true }).pipe(
      Effect.andThen(attempt(data, () => {
        // When another process was first, its folder stays and is then found to be in use.
        if (!existsSync(join(data, "PG_VERSION"))) renameSync(fresh, data)
      })),
      Effect.ensuring(Effect.ignore(attempt(fresh, () => rmSync(fresh, { recursive: true, force: true }))))
    )
  } else if (!content.includes("PG_VERSION")) {
    return yield* new EmbeddedPostgresError({
      reason: "NotADataFolder",
      problem: `The folder ${data} holds other files than PostgreSQL's data`,
      advice: "choose an empty folder, or one that does not exist yet"
    })
  }
  const real = yield* attempt(data, () => realpathSync(data))
  const owner = yield* attempt(real, () => statSync(real).uid)
  const me = user?.uid ?? process.getuid?.()
  if (me !== undefined && owner !== me) {
    return yield* new EmbeddedPostgresError({
      reason: "WrongOwner",
      problem: `The data folder ${data} belongs to another user (${owner}) than the one that runs this (${me})`,
      advice: "run it as that user, or choose another folder"
    })
  }
  const found = yield* attempt(real, () => readFileSync(join(real, "PG_VERSION"), "utf8").trim())
  if (found !== launcher.version) return yield* otherVersion(data, found, launcher.version)
  return real
})

/**
 * A killed server leaves a shared memory segment behind, which its next start over the same data would remove. Temporary
 * data has no next start. A server that ended in order has removed its lock file, and then there is nothing to do.
 */
export const forgetSharedMemory = (data: string): Effect.Effect<void> =>
  attempt(data, () => readFileSync(join(data, "postmaster.pid"), "utf8").split("\n")[6]?.trim().split(/\s+/)[1]).pipe(
    Effect.flatMap((id) =>
      id === undefined ? Effect.void : execute({ file: "ipcrm", args: ["-m", id], options: { cwd: "/" } })
    ),
    Effect.ignore
  )
