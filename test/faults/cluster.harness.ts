/** Runners of a cluster, each a process of its own and as long as the scope; and callers that remember what they were told. */
import { Effect, Exit, Random, type Scope, Stream } from "effect"
import type { AggregateEntity } from "effect-lifecycle/cluster"
import { Deadline } from "effect-lifecycle/request"
import { EventStore } from "effect-lifecycle/store"
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { Add, type Counter, Deposit } from "../cluster/support.ts"
import { freePort, type Told } from "./cluster.runner.ts"

const childFile = fileURLToPath(new URL("cluster.child.ts", import.meta.url))

const ended = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

export const end = (child: ChildProcess, signal: "SIGKILL" | "SIGTERM"): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (ended(child)) return resume(Effect.void)
    child.on("exit", () => resume(Effect.void))
    child.kill(signal)
  })

/** A runner that has begun to take its shards. */
export const startRunner = (
  where: Omit<Told, "port">,
  nodeOptions: ReadonlyArray<string> = ["--conditions=lifecycle-source"]
): Effect.Effect<ChildProcess, never, Scope.Scope> =>
  Effect.gen(function*() {
    const port = yield* freePort
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const args = [...nodeOptions, "--disable-warning=ExperimentalWarning", childFile]
        return spawn(process.execPath, [...args, JSON.stringify({ ...where, port })], {
          stdio: ["ignore", "pipe", "inherit"]
        })
      }),
      (child) => end(child, "SIGKILL")
    )
    yield* Effect.callback<void>((resume) => {
      child.on("exit", () => resume(Effect.die(new Error("a runner ended before it was ready"))))
      if (child.stdout !== null) createInterface(child.stdout).on("line", () => resume(Effect.void))
    }).pipe(Effect.timeout("30 seconds"), Effect.orDie)
    return child
  })

/** What became of a command, as its caller knows it. */
interface Sent {
  readonly aggregate: string
  readonly durable: boolean
  /** The version that was answered; `undefined` when no answer came. */
  answer: number | undefined
}

export class Callers {
  readonly sent = new Map<string, Sent>()
  private stopped = false
  private next = 0
  private readonly client: AggregateEntity.Client<(typeof Counter)["commands"][number]>
  private readonly aggregates: number

  constructor(client: AggregateEntity.Client<(typeof Counter)["commands"][number]>, aggregates: number) {
    this.client = client
    this.aggregates = aggregates
  }

  stop(): void {
    this.stopped = true
  }

  /** Aggregates with an answer since then. */
  answeredSince(count: number): number {
    const recent = [...this.sent.values()].slice(count).filter(({ answer }) => answer !== undefined)
    return new Set(recent.map(({ aggregate }) => aggregate)).size
  }

  readonly run: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    while (!this.stopped) {
      const key = `command-${this.next++}`
      const durable = (yield* Random.next) < 0.1
      const id = `counter-${yield* Random.nextIntBetween(0, this.aggregates - 1)}`
      const sent: Sent = { aggregate: id, durable, answer: undefined }
      this.sent.set(key, sent)
      // Now and then a caller gives up, and never learns what became of it.
      const tries = (yield* Random.next) < 0.3 ? 1 : 20
      for (let i = 0; i < tries && sent.answer === undefined; i++) {
        const exit = yield* Effect.exit(
          this.client.send(durable ? Deposit : Add, { id, by: 1, key }).pipe(Deadline.within("1500 millis"))
        )
        if (Exit.isSuccess(exit)) sent.answer = exit.value.version
        else yield* Effect.sleep("20 millis")
      }
    }
  })
}

export interface Found {
  readonly answered: number
  readonly unanswered: number
  readonly stored: number
  readonly faults: ReadonlyArray<string>
}

/** Compares what callers were told with what is stored. */
export const compare = (
  callers: Callers,
  aggregates: number
): Effect.Effect<Found, never, EventStore.EventStore> =>
  Effect.gen(function*() {
    const store = yield* EventStore.EventStore
    const faults: Array<string> = []
    const found = new Map<string, number>()
    let stored = 0
    for (let i = 0; i < aggregates; i++) {
      const id = `counter-${i}`
      const events = yield* Effect.orDie(Stream.runCollect(store.read({ category: "Counter", id })))
      stored += events.length
      for (const { meta, version } of events) {
        const key = meta["causationId"] ?? ""
        if (found.has(key)) faults.push(`${key} happened twice`)
        found.set(key, version)
        const sent = callers.sent.get(key)
        if (sent === undefined || sent.aggregate !== id) faults.push(`${key} was not sent to ${id}`)
      }
    }
    for (const [key, { answer, durable }] of callers.sent) {
      const version = found.get(key)
      if (answer !== undefined && version !== answer) {
        faults.push(
          `${key} was answered with version ${answer} and is ${version === undefined ? "lost" : `at ${version}`}`
        )
      }
      if (durable && version === undefined) faults.push(`${key} is durable and did not happen`)
    }
    const answered = [...callers.sent.values()].filter(({ answer }) => answer !== undefined).length
    return { answered, unanswered: callers.sent.size - answered, stored, faults }
  })
