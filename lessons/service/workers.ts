/**
 * Several processes of the services, each of them replaced when it dies.
 *
 * A process that ends by itself is replaced after 0.1 seconds, after twice as long each time it dies young, and after 5
 * seconds at most; one that says nothing for 10 seconds is killed. At the end all are told at once to let their requests end. They are started detached, so that Ctrl+C
 * reaches only the one process that knows the order in which to end; without it they end by themselves.
 */
import { Cause, Clock, Deferred, Effect, Exit, Queue, Schema, type Scope } from "effect"
import { Database } from "effect-lifecycle/testing"
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { type Addresses, newTokens, type Tokens } from "./launch.ts"
import type { Sibling } from "./shared/Page.ts"

export type ToWorker =
  | {
    readonly _tag: "Work"
    readonly address: Database.Address
    readonly poolSize: number
    /** Of users; where it or one of the next two is taken, any free ports stand for them. */
    readonly port: number
    readonly tokens: Tokens
  }
  | { readonly _tag: "Ping" }
  /** The others that answer now. */
  | { readonly _tag: "Siblings"; readonly siblings: ReadonlyArray<Sibling> }
  /** It will soon be told to end: who has a page open is let go. */
  | { readonly _tag: "Leave" }

export type FromWorker =
  | { readonly _tag: "Pong" }
  | { readonly _tag: "Ready"; readonly addresses: Addresses }
  | { readonly _tag: "Failed"; readonly sentence: string }

/** What stopped a worker is told as it told it. */
export class WorkerFailed extends Schema.TaggedError<WorkerFailed>()("WorkerFailed", { sentence: Schema.String }) {
  override get message(): string {
    return this.sentence
  }
}

export interface Worker {
  readonly pid: number
  readonly addresses: Addresses
}

export interface Workers {
  /** Those that answer now. */
  readonly running: Effect.Effect<ReadonlyArray<Worker>>
  /** The next time that others answer than before. */
  readonly changed: Effect.Effect<void>
  /** Has all of them let go of open pages, which a gateway would wait for. */
  readonly leave: Effect.Effect<void>
}

export interface Options {
  readonly count: number
  /** The services of worker 1 listen ten ports after this one, those of worker 2 another ten later; 0 takes any. */
  readonly port: number
  readonly poolSize: number
  /** Gets what they write, line by line. */
  readonly log: (line: string) => void
  /** Gets what a person should know. */
  readonly note: (sentence: string) => void
}

const program = fileURLToPath(new URL("./worker.ts", import.meta.url))
const node = ["--conditions=lifecycle-source", program]

/** The services let requests end for 5 seconds; whoever needs twice that hangs. */
const patience = "10 seconds"
const shortestPause = 100
const longestPause = 5000
/** Who lived this long did not die of how it was started. */
const grownUp = 10_000

/** How often a worker is asked whether it is there, and how long it may be silent. */
const pulse = "2 seconds"
const silence = "10 seconds"

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

const inWords = ({ code, signal }: Ended) => signal === null ? `with the exit code ${code}` : `by ${signal}`

const start = (message: ToWorker, log: Options["log"]) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(process.execPath, node, { stdio: ["ignore", "pipe", "inherit", "ipc"], detached: true })
      const ended = Deferred.makeUnsafe<Ended>()
      const end = (code: number | null, signal: NodeJS.Signals | null) =>
        void Deferred.doneUnsafe(ended, Effect.succeed({ code, signal }))
      child.once("exit", end)
      child.once("error", () => end(null, null))
      if (child.stdout !== null) createInterface({ input: child.stdout }).on("line", log)
      const said = Effect.callback<FromWorker>((resume) => {
        child.once("message", (message) => resume(Effect.succeed(message as FromWorker)))
      })
      const tell = (message: ToWorker) => void child.send(message, () => {})
      // A worker that has died before it listens is told by its exit.
      tell(message)
      return { child, said, tell, ended: Deferred.await(ended) }
    }),
    ({ child, ended }) =>
      Effect.suspend(() => {
        child.kill("SIGTERM")
        return ended.pipe(
          Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.andThen(kill(child), ended) }),
          Effect.asVoid
        )
      })
  )

const sentenceIn = (message: FromWorker) =>
  message._tag === "Failed" ? message.sentence : "It did not say where it listens."

const sentenceOf = (exit: Exit.Exit<string, WorkerFailed>): string =>
  Exit.match(exit, {
    onSuccess: (sentence) => sentence,
    onFailure: (cause) => Cause.prettyErrors(cause).map(({ message }) => message).join(" ")
  })

const kill = (child: ChildProcess) => Effect.sync(() => child.kill("SIGKILL"))

/** Begins when all of them answer. */
export const make = Effect.fnUntraced(function*(
  options: Options
): Effect.fn.Return<Workers, WorkerFailed, Database.Server | Scope.Scope> {
  const { address } = yield* Database.Server
  const { count, log, note, poolSize, port } = options
  const running = new Map<number, Worker>()
  const tokens = newTokens()
  const heads = new Map<number, (message: ToWorker) => void>()
  /** Each is told where the others answer: what one of them has served, all of them can tell. */
  const introduce = () => {
    for (const [number, tell] of heads) {
      const others = Array.from(running).filter(([other]) => other !== number)
      const siblings = others.map(([other, { addresses }]) => ({
        name: `worker ${other}`,
        addresses: { ...addresses }
      }))
      tell({ _tag: "Siblings", siblings })
    }
  }
  const changes = yield* Queue.sliding<void>(1)

  /** From its start to its end; fails where it could not start. */
  const life = (number: number, ready: (pid: number) => Effect.Effect<void>) =>
    Effect.scoped(Effect.gen(function*() {
      const { child, ended, said, tell } = yield* start(
        { _tag: "Work", address, poolSize, port: port === 0 ? 0 : port + 10 * number, tokens },
        log
      )
      const first = yield* Effect.raceFirst(said, ended)
      if (!("_tag" in first)) return yield* new WorkerFailed({ sentence: `It ended ${inWords(first)}.` })
      if (first._tag !== "Ready") return yield* new WorkerFailed({ sentence: sentenceIn(first) })
      const pid = child.pid ?? 0
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          running.set(number, { pid, addresses: first.addresses })
          heads.set(number, tell)
          introduce()
        }),
        () =>
          Effect.sync(() => {
            running.delete(number)
            heads.delete(number)
            introduce()
          })
      )
      yield* Queue.offer(changes, undefined)
      yield* ready(pid)
      // Who hangs takes requests that nobody answers, and may not even hear that it should end.
      const heard = Effect.timeout(Effect.andThen(Effect.sync(() => tell({ _tag: "Ping" })), said), silence)
      yield* Effect.forkScoped(
        Effect.forever(Effect.andThen(heard, Effect.sleep(pulse))).pipe(
          Effect.catchTag("TimeoutError", () => Effect.sync(() => child.kill("SIGKILL")))
        )
      )
      return `The process ${pid} ended ${inWords(yield* ended)}.`
    }))

  const keep = Effect.fnUntraced(function*(number: number, ready: Deferred.Deferred<void, WorkerFailed>) {
    let pause = shortestPause
    while (true) {
      const before = yield* Clock.currentTimeMillis
      const exit = yield* Effect.exit(
        life(number, (pid) =>
          Effect.map(Deferred.succeed(ready, undefined), (isFirst) => {
            if (!isFirst) note(`Worker ${number} is back: the process ${pid} answers.`)
          }))
      )
      // Whoever starts all of them waits for this, and is told why there is nothing to wait for.
      if (Exit.isFailure(exit) && (yield* Deferred.failCause(ready, exit.cause))) return
      yield* Queue.offer(changes, undefined)
      if ((yield* Clock.currentTimeMillis) - before > grownUp) pause = shortestPause
      note(`Worker ${number} is gone. ${sentenceOf(exit)} Another one starts in ${pause / 1000} s.`)
      yield* Effect.sleep(pause)
      pause = Math.min(pause * 2, longestPause)
    }
  })

  const all = Array.from({ length: count }, (_, index) => ({
    number: index + 1,
    ready: Deferred.makeUnsafe<void, WorkerFailed>()
  }))
  const [first] = all
  if (first === undefined) return yield* new WorkerFailed({ sentence: "There is no worker to start." })
  // One fiber, so that all of them are told to end at once. The first makes what is missing in the database.
  yield* Effect.forkScoped(Effect.forEach(
    all,
    ({ number, ready }) =>
      Effect.andThen(number === first.number ? Effect.void : Deferred.await(first.ready), keep(number, ready)),
    { concurrency: "unbounded", discard: true }
  ))
  yield* Effect.forEach(all, ({ ready }) => Deferred.await(ready), { concurrency: "unbounded", discard: true })
  yield* Queue.clear(changes)
  return {
    running: Effect.sync(() => [...running.values()]),
    changed: Queue.take(changes),
    leave: Effect.sync(() => {
      for (const tell of heads.values()) tell({ _tag: "Leave" })
    })
  }
})
