/** Starts processes that run many files at once, watches over them, and starts again after a file that never ends. */
import { Clock, Effect, Schema, type Scope } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { BatchAnswer, BatchMessage, BatchOptions, BatchRequest, BatchSubject, Prepared } from "./batchProtocol.ts"
import { environment } from "./hostProcess.ts"
import * as Postgres from "./postgresProcess.ts"
import type { SqlGiven } from "./protocol.ts"

/** The files cannot be run at all. */
export class BatchUnavailable extends Schema.TaggedError<BatchUnavailable>()("BatchUnavailable", {
  reason: Schema.String
}) {
  override get message(): string {
    return `The exercises cannot be run: ${this.reason}`
  }
}

const entry = fileURLToPath(
  new URL(`./batchHost${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url)
)

/** How long a process may stand still before its first file has moved: than it takes to start on a very busy machine. */
const startMillis = 60_000

/** How long it may stand still then: longer than any test may take. */
const patienceMillis = (request: BatchRequest): number =>
  request._tag === "Run" ? 4 * request.testMillis + 4000 : startMillis

type Conversation = "ended" | "stood still"

/** Asks a process of its own for something, and hears all that it says, until the end or until it stands still. */
const converse = (
  options: BatchOptions,
  request: BatchRequest,
  hear: (message: BatchMessage) => void
): Effect.Effect<Conversation, BatchUnavailable> => {
  let heard = true
  let moved = false
  const standsStill = Effect.gen(function*() {
    let since = yield* Clock.currentTimeMillis
    for (;;) {
      yield* Effect.sleep("500 millis")
      const now = yield* Clock.currentTimeMillis
      if (heard) since = now
      heard = false
      if (now - since > (moved ? patienceMillis(request) : startMillis)) return "stood still" as const
    }
  })
  const asked = Effect.callback<Conversation, BatchUnavailable>((resume) => {
    const child: ChildProcess = fork(entry, [JSON.stringify(options)], {
      cwd: options.root,
      env: environment(),
      execArgv: ["--max-old-space-size=2048"],
      stdio: ["ignore", "ignore", "pipe", "ipc"]
    })
    let errors = ""
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      if (errors.length < 4_000) errors += text
    })
    const stop = (): void => {
      child.removeAllListeners()
      child.kill("SIGKILL")
      rmSync(options.scratch, { recursive: true, force: true, maxRetries: 3 })
    }
    const finish = (result: Effect.Effect<Conversation, BatchUnavailable>): void => {
      stop()
      resume(result)
    }
    const lost = (reason: string): void => finish(Effect.fail(new BatchUnavailable({ reason })))
    child.on("error", (error) => lost(error.message))
    child.on("exit", (code, signal) => lost(`a process ended (${signal ?? `code ${code}`}). ${errors.trim()}`.trim()))
    child.on("message", (message: BatchMessage) => {
      heard = true
      if (message._tag === "Beat" || message._tag === "Done") moved = true
      hear(message)
      if (message._tag === "End" || message._tag === "Prepared") finish(Effect.succeed("ended"))
      if (message._tag === "Broken") lost(message.reason)
      if (message._tag === "MissingPackage") {
        lost(
          `the package ${message.name} is not installed. `
            + "Checking needs: `npm install --save-dev vitest @effect/vitest typescript`."
        )
      }
    })
    child.send(request)
    return Effect.sync(stop)
  })
  return Effect.raceFirst(asked, standsStill)
}

/** Where the processes work, and with what. */
export interface BatchPlace {
  readonly root: string
  readonly fromSource: boolean
}

const placed = ({ fromSource, root }: BatchPlace): BatchOptions => {
  const parent = join(root, ".lifecycle")
  mkdirSync(parent, { recursive: true })
  return { root, fromSource, scratch: mkdtempSync(join(parent, "batch-")) }
}

/** Makes the small mistakes, and puts the cheats into the exercises. */
export const prepareAll = Effect.fnUntraced(function*(
  place: BatchPlace,
  request: Omit<Extract<BatchRequest, { readonly _tag: "Prepare" }>, "_tag">
): Effect.fn.Return<ReadonlyArray<Prepared>, BatchUnavailable> {
  let prepared: ReadonlyArray<Prepared> = []
  const how = yield* converse(placed(place), { _tag: "Prepare", ...request }, (message) => {
    if (message._tag === "Prepared") prepared = message.prepared
  })
  if (how === "stood still") return yield* new BatchUnavailable({ reason: "the process that reads them stands still." })
  return prepared
})

/** How a file of a batch went; `undefined` when it never came to an end. */
export type BatchResults = ReadonlyMap<number, BatchAnswer | undefined>

/** Files that share a process; with SQL it has a schema of its own. */
export interface Batch {
  readonly subjects: ReadonlyArray<BatchSubject>
  readonly testMillis: number
  readonly sql: boolean
}

const givenOf = (
  batch: Batch,
  postgres: Postgres.Postgres
): Effect.Effect<SqlGiven | undefined, BatchUnavailable, Scope.Scope> =>
  batch.sql
    ? postgres.schema.pipe(
      Effect.map((place) => ({ _tag: "Place" as const, place })),
      Effect.mapError(({ reason }) =>
        new BatchUnavailable({ reason: `some of them need PostgreSQL, and there is none. ${reason}` })
      )
    )
    : Effect.undefined

const runBatch = Effect.fnUntraced(function*(
  place: BatchPlace,
  postgres: Postgres.Postgres,
  batch: Batch,
  done: (number: number, answer: BatchAnswer | undefined) => void
): Effect.fn.Return<void, BatchUnavailable> {
  const { subjects, testMillis } = batch
  const left = new Map(subjects.map((subject) => [subject.number, subject]))
  while (left.size > 0) {
    const how = yield* Effect.scoped(
      Effect.flatMap(
        givenOf(batch, postgres),
        (sql) =>
          converse(placed(place), { _tag: "Run", subjects: [...left.values()], testMillis, sql }, (message) => {
            if (message._tag !== "Done") {
              return
            }
            left.delete(message.answer.number)
            done(message.answer.number, message.answer)
          })
      )
    )
    const [stuck] = left.keys()
    if (stuck === undefined) return
    if (how === "ended") {
      return yield* new BatchUnavailable({ reason: `there is no answer for ${left.get(stuck)?.file ?? "a file"}.` })
    }
    left.delete(stuck)
    done(stuck, undefined)
  }
})

/** Runs all the files: some processes at a time, and as many beside them that wait for PostgreSQL. */
export const runAll = Effect.fnUntraced(function*(
  place: BatchPlace,
  batches: ReadonlyArray<Batch>,
  options: { readonly course: string; readonly processes: number }
): Effect.fn.Return<BatchResults, BatchUnavailable, Scope.Scope> {
  const results = new Map<number, BatchAnswer | undefined>()
  const postgres = yield* Postgres.make({ ...place, course: options.course })
  const those = (sql: boolean) =>
    Effect.forEach(
      batches.filter((batch) => batch.sql === sql),
      (batch) => runBatch(place, postgres, batch, (number, answer) => void results.set(number, answer)),
      { concurrency: options.processes, discard: true }
    )
  yield* Effect.all([those(true), those(false)], { concurrency: 2, discard: true })
  return results
})
