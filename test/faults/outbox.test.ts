/** Two workers of an outbox, each a process of its own, of which one after the other is killed in the middle. */
import { assert, describe, it } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Effect, Fiber, Layer, Option, Redacted, Schedule, Schema, type Scope } from "effect"
import { Inbox, Outbox, StateStore } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { pgTest } from "../postgres.ts"
import type { Published, Where } from "./outbox.protocol.ts"

const keys = 24
/** So many messages always wait, so that every worker has some in hand when it is killed. */
const backlog = 200
const kills = 3
const childFile = fileURLToPath(new URL("outbox.child.ts", import.meta.url))

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

const until = <E, R>(what: string, condition: Effect.Effect<boolean, E, R>) =>
  condition.pipe(
    Effect.filterOrFail((holds) => holds, () => new Error(`not within a minute: ${what}`)),
    Effect.retry(Schedule.upTo(Schedule.spaced("50 millis"), { duration: "1 minute" })),
    Effect.orDie
  )

const effects = StateStore.collection({ name: "effects", schema: Schema.Struct({ count: Schema.Int }), indexes: [] })

describe("Outbox with workers that are killed", () => {
  it.live(
    "publishes each message at least once and each key in order, and an inbox makes each effect happen once",
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
          Effect.sync(() => fs.mkdtempSync(join(tmpdir(), "lc-outbox-"))),
          (path) => Effect.sync(() => fs.rmSync(path, { recursive: true, force: true }))
        )
        const file = join(directory, "published")
        fs.writeFileSync(file, "")
        const published = (): ReadonlyArray<Published> =>
          fs.readFileSync(file, "utf8").split("\n").filter((line) => line !== "").map((line) =>
            JSON.parse(line) as Published
          )

        const outbox = yield* Outbox.Outbox
        let perKey = 0
        const round = Effect.gen(function*() {
          if ((yield* outbox.status()).pending >= backlog) return yield* Effect.sleep("20 millis")
          const number = perKey
          yield* outbox.enqueueAll(
            Array.from({ length: keys }, (_, key) => ({
              topic: "t",
              key: `k-${key}`,
              id: `${key}/${number}`,
              payload: number
            }))
          )
          perKey++
        })
        const enqueuing = yield* Effect.forkChild(Effect.forever(Effect.uninterruptible(round)))
        yield* worker(where, file)
        const killed: Array<number> = []
        for (let index = 0; index < kills; index++) {
          const child = yield* worker(where, file)
          yield* until(
            "a worker has published",
            Effect.sync(() => published().filter(({ by }) => by === child.pid).length > 20)
          )
          yield* kill(child)
          killed.push(child.pid ?? 0)
        }
        yield* Fiber.interrupt(enqueuing)
        const total = keys * perKey
        yield* until("all is published", Effect.map(outbox.status(), ({ pending }) => pending === 0))

        const all = published()
        assert.strictEqual(new Set(all.map(({ id }) => id)).size, total, "each message at least once")
        for (let key = 0; key < keys; key++) {
          const numbers = all.filter((one) => one.key === `k-${key}`).map(({ number }) => number)
          assert.deepStrictEqual(numbers, numbers.toSorted((a, b) => a - b), "a key in order, repeats included")
        }
        assert.isAbove(all.filter(({ attempt }) => attempt > 1).length, 0, "the killed ones held messages")
        const last = new Map(all.map(({ id }, index) => [id, index]))
        const repeated = all.filter(({ id }, index) => last.get(id) !== index)
        assert.isTrue(repeated.every(({ by }) => killed.includes(by)), "only what a killed one published came again")
        assert.isTrue(killed.every((pid) => all.some(({ by }) => by === pid)))
        assert.deepInclude(yield* outbox.status(), { dead: 0, inFlight: 0 })

        // Every delivery goes to the receiver, and some of them once more.
        const inbox = yield* Inbox.Inbox
        const states = yield* StateStore.StateStore
        const receive = ({ id }: Published) =>
          inbox.once(
            { source: "receiver < t", id },
            Effect.gen(function*() {
              const found = yield* states.get(effects, id)
              const count = Option.match(found, { onNone: () => 0, onSome: ({ state }) => state.count })
              yield* states.put(effects, { id, version: 1, state: { count: count + 1 } })
            })
          )
        const ran = yield* Effect.forEach([...all, ...all.slice(-50)], receive, { concurrency: 8 })
        assert.strictEqual(ran.filter(Option.isSome).length, total)
        for (const { id } of all) {
          assert.strictEqual(Option.getOrThrow(yield* states.get(effects, id)).state.count, 1)
        }
      }).pipe(
        Effect.scoped,
        Effect.provide(PgStore.layer().pipe(Layer.provideMerge(pgTest({ client: { maxConnections: 12 } }))))
      ),
    { timeout: 120_000 }
  )
})
