/** A process that is killed at each point of a saga and started again, on ours and on `effect/workflow`. */
import { assert, describe, it } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { pgTest } from "../postgres.ts"
import type { Where } from "./outbox.protocol.ts"
import { type Point, points, type Task } from "./sagaCrash.protocol.ts"

const childFile = fileURLToPath(new URL("sagaCrash.child.ts", import.meta.url))

const run = (task: Task): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const args = ["--conditions=lifecycle-source", "--disable-warning=ExperimentalWarning", childFile]
    const child = spawn(process.execPath, [...args, JSON.stringify(task)], { stdio: ["ignore", "ignore", "inherit"] })
    child.on("exit", (code, signal) => resume(Effect.succeed(signal ?? String(code))))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/** What a process does that dies at a point, and the one after it. */
const story = (engine: Task["engine"], crash: Task["crash"], variant?: Task["variant"]) =>
  Effect.gen(function*() {
    const { database, path, startupParameters, url, username } = (yield* PgClient.PgClient).config as
      & PgClient.PgClientConfig
      & Where
    const where: Where = {
      database,
      path,
      username,
      startupParameters,
      url: Redacted.isRedacted(url) ? Redacted.value(url) as string : undefined
    }
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => fs.mkdtempSync(join(tmpdir(), "lc-saga-"))),
      (path) => Effect.sync(() => fs.rmSync(path, { recursive: true, force: true }))
    )
    const file = join(directory, "effects")
    const first = yield* run({ where, engine, crash, variant: undefined, file })
    assert.strictEqual(first, "SIGKILL")
    yield* run({ where, engine, crash: undefined, variant, file })
    return fs.readFileSync(file, "utf8").trimEnd().split("\n")
  }).pipe(Effect.scoped, Effect.provide(pgTest()))

/** Some points, or with more rounds all of them. */
const chosen = Number(process.env.LIFECYCLE_FAULT_ROUNDS ?? 3) > 3 ? points : ["after:a", "before:undo-b"] as const
const all = ["a", "b", "undo-b", "undo-a"]

/** What happens when the process dies at a point: the effect whose record was lost comes again, nothing else. */
const expected = (point: Point): ReadonlyArray<string> => {
  const lost = point.startsWith("after:") ? point.slice("after:".length) : undefined
  return all.flatMap((effect) => effect === lost ? [effect, effect] : [effect])
}

describe("A saga whose process is killed", () => {
  it.live("goes on in the next process, at every point, and is undone in reverse", () =>
    Effect.gen(function*() {
      for (const point of chosen) {
        assert.deepStrictEqual(yield* story("saga", point), [...expected(point), "= Compensated"], point)
      }
    }), { timeout: 200_000 })

  it.live(
    "is parked by a definition that has renamed a step, and where a step cannot be undone",
    () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* story("saga", "before:c", "renamed"), ["a", "b", "= Parked UnknownStep"])
        assert.deepStrictEqual(yield* story("saga", "before:c", "stuck"), [
          "a",
          "b",
          "undo-a",
          "= Parked CompensationFailed"
        ])
      }),
    { timeout: 100_000 }
  )
})

describe("The same on effect/workflow, as the header of domain/Saga tells", () => {
  it.live("goes on as well, and runs a step again whose record was lost", () =>
    Effect.gen(function*() {
      for (const point of chosen.slice(0, chosen.length === points.length ? undefined : 1)) {
        assert.deepStrictEqual(yield* story("workflow", point), [...expected(point), "= Failure Error: no"], point)
      }
    }), { timeout: 200_000 })

  it.live("runs a step a second time that was renamed", () =>
    Effect.gen(function*() {
      const effects = yield* story("workflow", "before:c", "renamed")
      assert.deepStrictEqual(effects, ["a", "b", "b", "undo-b", "undo-a", "= Failure Error: no"])
    }), { timeout: 100_000 })
})
