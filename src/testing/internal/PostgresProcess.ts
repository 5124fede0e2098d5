/** One run of the server process: from its start to its end. */
import { Effect, Fiber, Schedule } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { readFileSync, readlinkSync, rmSync } from "node:fs"
import { join } from "node:path"
import { type EmbeddedPostgresError, fromOutput, inUse, isTransient } from "./EmbeddedPostgresError.ts"
import type { Launcher } from "./PostgresBinaries.ts"

export interface PostgresProcess {
  readonly pid: number
  /** Ends when the process has ended, however that came about. */
  readonly ended: Effect.Effect<void>
  /** Fast shutdown: sessions are cut, transactions rolled back, everything committed is on disk. */
  readonly stop: Effect.Effect<void>
}

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return undefined
  }
}

/** Whether a process with this id exists, whoever owns it. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

/** A server works in its data folder, so another program that got the same id later can be told apart. */
const worksIn = (pid: number, data: string): boolean => {
  if (process.platform !== "linux") return true
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === data
  } catch {
    return read(`/proc/${pid}/comm`)?.trim() === "postgres"
  }
}

/** The server that owns the folder now, found in the lock file it keeps there. */
export const owner = (data: string): { readonly pid: number; readonly stopping: boolean } | undefined => {
  const lines = read(join(data, "postmaster.pid"))?.split("\n") ?? []
  const pid = Number(lines[0])
  if (!Number.isInteger(pid) || pid <= 1 || !isAlive(pid) || !worksIn(pid, data)) return undefined
  return { pid, stopping: lines[7]?.trim() === "stopping" }
}

/** A server whose parent was killed needs a moment to stop; one that runs on belongs to somebody. */
const awaitFree = Effect.fnUntraced(function*(data: string): Effect.fn.Return<void, EmbeddedPostgresError> {
  for (let waited = 0; waited < 15_000; waited += 50) {
    const found = owner(data)
    if (found === undefined) return rmSync(join(data, "postmaster.pid"), { force: true })
    if (waited >= 1_000 && !found.stopping) return yield* inUse(data, found.pid)
    yield* Effect.sleep(50)
  }
  const found = owner(data)
  if (found !== undefined) return yield* inUse(data, found.pid)
})

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

const awaitEnd = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (hasEnded(child)) return resume(Effect.void)
    const done = () => resume(Effect.void)
    child.on("exit", done)
    return Effect.sync(() => child.off("exit", done))
  })

/** A finalizer cannot be cut short by a timeout, so a fiber of its own turns the signal up when the gentle one is not heard. */
const stop = Effect.fnUntraced(function*(child: ChildProcess): Effect.fn.Return<void> {
  const signal = (name: NodeJS.Signals) =>
    Effect.sync(() => {
      if (!hasEnded(child)) child.kill(name)
    })
  yield* signal("SIGINT")
  const insist = yield* Effect.sleep("20 seconds").pipe(
    Effect.andThen(signal("SIGQUIT")),
    Effect.andThen(Effect.sleep("5 seconds")),
    Effect.andThen(signal("SIGKILL")),
    Effect.forkDetach
  )
  yield* awaitEnd(child)
  yield* Fiber.interrupt(insist)
})

class NotReady extends Error {
  readonly output: string
  constructor(output: string) {
    super(output)
    this.output = output
  }
}

/** The last lines only: a server that runs for weeks may say a lot. */
const keptCharacters = 8_000

const startOnce = (
  launcher: Launcher,
  args: ReadonlyArray<string>,
  spawned: (server: PostgresProcess) => void
): Effect.Effect<PostgresProcess, NotReady> =>
  Effect.callback((resume) => {
    const command = launcher.commandLine(launcher.binaries.postgres, args)
    const child = spawn(command.file, command.args, { ...command.options, stdio: ["ignore", "ignore", "pipe"] })
    const server = { pid: child.pid ?? 0, ended: awaitEnd(child), stop: stop(child) }
    if (child.pid !== undefined) spawned(server)
    let output = ""
    let ready = false
    child.stderr?.on("data", (chunk: Buffer) => {
      output = (output + chunk.toString("utf8")).slice(-keptCharacters)
      if (ready || !output.includes("ready to accept connections")) return
      ready = true
      resume(Effect.succeed(server))
    })
    child.on("error", (error) => resume(Effect.fail(new NotReady(error.message))))
    child.on("close", () => {
      if (!ready) resume(Effect.fail(new NotReady(output)))
    })
    return child.pid === undefined ? Effect.void : server.stop
  })

/** Starts the server over `data` and waits until it takes connections. */
export const start = Effect.fnUntraced(
  function*(options: {
    readonly launcher: Launcher
    readonly data: string
    readonly settings: ReadonlyArray<readonly [name: string, value: string]>
    /** Told of every process at the moment it exists, ready or not, so that none can be forgotten. */
    readonly spawned: (server: PostgresProcess) => void
  }): Effect.fn.Return<PostgresProcess, EmbeddedPostgresError> {
    const { data, launcher, settings, spawned } = options
    yield* awaitFree(data)
    const args = ["-D", data, ...settings.flatMap(([name, value]) => ["-c", `${name}=${value}`])]
    return yield* startOnce(launcher, args, spawned).pipe(
      Effect.retry({
        while: (error) => isTransient(error.output),
        schedule: Schedule.upTo(Schedule.spaced("100 millis"), { duration: "15 seconds" })
      }),
      Effect.mapError((error) => fromOutput(data, error.output))
    )
  }
)
