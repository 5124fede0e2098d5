/** A redis-server and processes with circuits over it, each as long as the scope. */
import { Context, Effect, Layer, Schedule, type Scope } from "effect"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import { createConnection } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import type { Answer, Order } from "./sharedCircuit.protocol.ts"

/** Without a redis-server these tests are skipped on a developer's machine, and fail in CI. */
export const canRun = spawnSync("redis-server", ["--version"]).status === 0 || (process.env.CI ?? "") !== ""

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(join(tmpdir(), "lc-redis-"))),
  (path) => Effect.sync(() => fs.rmSync(path, { recursive: true, force: true }))
)

const ended = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

/** A process that the scope ends, and waits for. */
const started = (command: string, args: ReadonlyArray<string>, stdin: "ignore" | "pipe") =>
  Effect.acquireRelease(
    Effect.callback<ChildProcess>((resume) => {
      const child = spawn(command, args, { stdio: [stdin, "pipe", "inherit"] })
      child.on("spawn", () => resume(Effect.succeed(child)))
      child.on("error", (error) => resume(Effect.die(new Error(`${command} could not be started: ${error.message}`))))
    }),
    (child) => kill(child)
  )

const kill = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (ended(child)) return resume(Effect.void)
    child.on("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })

const answers = (socket: string): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const connection = createConnection(socket)
    connection.on("connect", () => {
      connection.destroy()
      resume(Effect.succeed(true))
    })
    connection.on("error", () => resume(Effect.succeed(false)))
  })

export const until = <E, R>(condition: Effect.Effect<boolean, E, R>, limit: "5 seconds" | "10 seconds") =>
  condition.pipe(
    Effect.filterOrFail((yes) => yes, () => new Error(`not so within ${limit}`)),
    Effect.retry(Schedule.upTo(Schedule.spaced("20 millis"), { duration: limit })),
    Effect.orDie
  )

/** The socket of a redis-server of this test, which keeps nothing. */
export const redis: Effect.Effect<string, never, Scope.Scope> = Effect.gen(function*() {
  const directory = yield* folder
  const socket = join(directory, "redis.sock")
  const args = ["--port", "0", "--unixsocket", socket, "--dir", directory, "--save", "", "--appendonly", "no"]
  const server = yield* started("redis-server", args, "ignore")
  server.stdout?.resume()
  yield* until(answers(socket), "10 seconds")
  return socket
})

export interface Process {
  readonly ask: (order: Order) => Effect.Effect<Answer>
  readonly kill: Effect.Effect<void>
}

const childFile = fileURLToPath(new URL("sharedCircuit.child.ts", import.meta.url))

const childOf = (socket: string): Effect.Effect<Process, never, Scope.Scope> =>
  Effect.gen(function*() {
    const args = ["--conditions=lifecycle-source", "--disable-warning=ExperimentalWarning", childFile, socket]
    const child = yield* started(process.execPath, args, "pipe")
    const waiting = new Map<number, (answer: Answer) => void>()
    const answerTo = (id: number, order?: Order) =>
      Effect.callback<Answer>((resume) => {
        waiting.set(id, (answer) => resume(Effect.succeed(answer)))
        if (order !== undefined) child.stdin?.write(`${JSON.stringify({ ...order, id })}\n`)
      }).pipe(
        Effect.timeoutOrElse({
          duration: "15 seconds",
          orElse: () => Effect.die(new Error(`no answer to ${JSON.stringify(order)}`))
        })
      )
    if (child.stdout !== null) {
      createInterface(child.stdout).on("line", (line) => {
        const answer = JSON.parse(line) as Answer
        waiting.get(answer.id)?.(answer)
      })
    }
    yield* answerTo(0)
    let asked = 0
    return { ask: (order) => Effect.suspend(() => answerTo(++asked, order)), kill: kill(child) }
  })

export class Shared extends Context.Service<Shared, {
  readonly a: Process
  readonly b: Process
  readonly c: Process
  /** One more process, that a test may kill. */
  readonly another: Effect.Effect<Process, never, Scope.Scope>
  /** The socket of the Redis that they share. */
  readonly socket: string
}>()("test/faults/sharedCircuit/Shared") {
  static readonly layer = Layer.effect(
    Shared,
    Effect.gen(function*() {
      const socket = yield* redis
      const [a, b, c] = yield* Effect.all([childOf(socket), childOf(socket), childOf(socket)], { concurrency: 3 })
      return { a, b, c, another: childOf(socket), socket }
    })
  )
}
