/** Three workers of sagas, each a process of its own, of which one after the other is killed at a random moment. */
import { assert, describe, it } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Random, Redacted, Schedule, type Scope } from "effect"
import { Saga } from "effect-lifecycle/domain"
import { SagaStore } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { pgTest } from "../postgres.ts"
import type { Where } from "./outbox.protocol.ts"
import { definition, type Line } from "./sagaWorkers.protocol.ts"

const rounds = Number(process.env.LIFECYCLE_FAULT_ROUNDS ?? 3)
const childFile = fileURLToPath(new URL("sagaWorkers.child.ts", import.meta.url))

const kill = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.on("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })

/** A process that the scope ends, and waits for. */
const worker = (where: Where, file: string): Effect.Effect<ChildProcess, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const args = ["--conditions=lifecycle-source", "--disable-warning=ExperimentalWarning", childFile]
      return spawn(process.execPath, [...args, JSON.stringify(where), file], {
        stdio: ["ignore", "inherit", "inherit"]
      })
    }),
    kill
  )

const until = <E, R>(condition: Effect.Effect<boolean, E, R>) =>
  condition.pipe(
    Effect.filterOrFail((holds) => holds, () => new Error("not so within a minute")),
    Effect.retry(Schedule.upTo(Schedule.spaced("50 millis"), { duration: "1 minute" })),
    Effect.orDie
  )

describe("Sagas with three recoverers that are killed", () => {
  it.live(
    "end every saga, have each effect once but where a killed one was in doubt, and never run a handler twice at once",
    () =>
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
          Effect.sync(() => fs.mkdtempSync(join(tmpdir(), "lc-sagas-"))),
          (path) => Effect.sync(() => fs.rmSync(path, { recursive: true, force: true }))
        )
        const file = join(directory, "lines")
        fs.writeFileSync(file, "")
        const lines = (): ReadonlyArray<Line> =>
          fs.readFileSync(file, "utf8").split("\n").filter((line) => line !== "").map((line) =>
            JSON.parse(line) as Line
          )

        const saga = definition(() => Effect.void)
        const store = yield* SagaStore.SagaStore
        let sagas = 0
        const startSome = Effect.gen(function*() {
          for (let index = 0; index < 60; index++) {
            yield* Saga.start(saga, { id: String(sagas), input: sagas % 2 === 1 })
            sagas++
          }
        })
        const isOver = Effect.map(store.count(), ({ compensating, running }) => running + compensating === 0)
        const workers = [yield* worker(where, file), yield* worker(where, file), yield* worker(where, file)]
        const killed: Array<number> = []
        for (let round = 0; round < rounds; round++) {
          yield* startSome
          const victim = workers.shift() as ChildProcess
          // The others may have ended them all before it was up.
          yield* until(Effect.gen(function*() {
            if (lines().some(({ by }) => by === victim.pid)) return true
            if (yield* isOver) yield* startSome
            return false
          }))
          yield* Effect.sleep(yield* Random.nextIntBetween(0, 150))
          yield* kill(victim)
          killed.push(victim.pid ?? 0)
          workers.push(yield* worker(where, file))
        }
        yield* until(isOver)
        const counts = yield* store.count()
        assert.deepInclude(counts, { completed: sagas / 2, compensated: sagas / 2, parked: 0 })

        const all = lines()
        const holders = new Map<string, number>()
        for (const { by, key, phase } of all) {
          if (phase === "begin") {
            const holder = holders.get(key)
            assert.isTrue(holder === undefined || killed.includes(holder), `${key} ran in two processes at once`)
            holders.set(key, by)
          }
        }
        const effects = all.filter(({ phase }) => phase === "effect")
        const times = Map.groupBy(effects, ({ key }) => key)
        for (let id = 0; id < sagas; id++) {
          const steps = id % 2 === 0 ? ["a", "b", "c"] : ["a", "b", "b/compensate", "a/compensate"]
          const mine = effects.filter(({ key }) => key.startsWith(`Trip/${id}/`))
          const order = [...new Set(mine.map(({ key }) => key.slice(`Trip/${id}/`.length)))]
          assert.deepStrictEqual(order, steps, `saga ${id}`)
        }
        for (const [key, ones] of times) {
          const early = ones.slice(0, -1)
          assert.isTrue(early.every(({ by }) => killed.includes(by)), `${key} was repeated without a doubt`)
        }
      }).pipe(
        Effect.scoped,
        Effect.provide(PgStore.layer().pipe(Layer.provideMerge(pgTest({ client: { maxConnections: 8 } }))))
      ),
    { timeout: 180_000 }
  )
})
