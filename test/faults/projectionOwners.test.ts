/**
 * Two processes own a projection together; one of them is killed at a random moment, again and again, while events are
 * appended. `LIFECYCLE_FAULT_ROUNDS` makes it longer.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Queue, Random, Schedule, type Scope, Stream } from "effect"
import { EventStore, Projection, StateStore, Subscription } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { SqlClient } from "effect/sql"
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { address, pgTest } from "../postgres.ts"
import { counted, leaseMillis, type Told } from "./projectionOwners.projection.ts"

const rounds = Number(process.env.LIFECYCLE_FAULT_ROUNDS ?? 3)
const writers = 4
const streams = 12
const childFile = fileURLToPath(new URL("projectionOwners.child.ts", import.meta.url))

const kill = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.on("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })

/** A process that is ready to own its share. To start one takes longer than everything else here, so it is done ahead. */
const spare = (told: Told): Effect.Effect<ChildProcess, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<ChildProcess>((resume) => {
      const { NODE_OPTIONS: _, ...env } = process.env
      const child = spawn(
        process.execPath,
        ["--conditions=lifecycle-source", "--disable-warning=ExperimentalWarning", childFile, JSON.stringify(told)],
        { stdio: ["pipe", "pipe", "inherit"], env }
      )
      child.stdout.on("data", () => resume(Effect.succeed(child)))
      child.on("error", (error) => resume(Effect.die(error)))
      child.on("exit", (code) => resume(Effect.die(new Error(`the owner ended with ${code}`))))
    }),
    kill
  )

const writer = (stop: { now: boolean }) =>
  Effect.gen(function*() {
    const store = yield* EventStore.EventStore
    while (!stop.now) {
      const id = `s-${Math.floor((yield* Random.next) * streams)}`
      yield* store.append({
        stream: { category: "Counted", id },
        expect: "any",
        events: [{ type: "Counted", data: {} }]
      })
      yield* Effect.sleep(5)
    }
  })

const owning = Effect.map(
  Subscription.Subscriptions.use((all) => all.status("projection:counted@1")),
  (status) => ({
    owners: status?.owners.length ?? 0,
    owned: status?.partitions.filter((partition) => partition.owner !== undefined).length ?? 0
  })
)

const rowsOf = (stream: string) =>
  StateStore.StateStore.use((states) =>
    Stream.runCollect(Stream.paginate(undefined as string | undefined, (cursor) =>
      Effect.map(
        states.query(counted.collection, { where: { stream }, limit: 1000, cursor }),
        ({ next, rows }) => [rows, next === undefined ? Option.none() : Option.some(next)] as const
      )))
  )

describe("Two owners of one projection, killed in turn", () => {
  it.live(
    "have each effect once, in the order of each stream",
    () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const [row] = yield* sql<{ readonly name: string }>`select current_database() as name`
        const told = { address: yield* address, database: row?.name ?? "" }
        const stop = { now: false }
        const starting = yield* Queue.make<Fiber.Fiber<ChildProcess>>()
        const startOne = Effect.flatMap(Effect.forkScoped(spare(told)), (fiber) => Queue.offer(starting, fiber))
        const owner = Effect.gen(function*() {
          const child = yield* Fiber.join(yield* Queue.take(starting))
          child.stdin?.write("go\n")
          return child
        })
        // All at once, so that they start beside each other; in a long run four are kept ready.
        yield* Effect.repeat(startOne, { times: Math.min(rounds + 2, 5) - 1 })
        const alive: Array<ChildProcess> = [yield* owner, yield* owner]
        const writing = yield* Effect.forkChild(
          Effect.all(Array.from({ length: writers }, () => writer(stop)), { concurrency: "unbounded", discard: true })
        )
        for (let round = 0; round < rounds; round++) {
          // Both work before one dies, so that it dies in the middle.
          yield* owning.pipe(
            Effect.repeat({
              until: ({ owned, owners }) => owners === 2 && owned === 4,
              schedule: Schedule.spaced("10 millis")
            }),
            Effect.timeout("20 seconds")
          )
          yield* Effect.sleep((yield* Random.next) * 300)
          const victim = alive.splice((yield* Random.next) < 0.5 ? 0 : 1, 1)
          yield* Effect.forEach(victim, kill)
          if (round + 5 < rounds + 2) yield* startOne
          // Before the lease of the dead one is over, or after the other one has taken its share.
          yield* Effect.sleep((yield* Random.next) * 2 * leaseMillis)
          alive.push(yield* owner)
        }
        stop.now = true
        yield* Fiber.join(writing)
        const stored = yield* EventStore.EventStore.use((store) =>
          Stream.runCollect(store.readAll({ categories: ["Counted"] }))
        )
        yield* Projection.Projections.use((all) => all.awaitPosition(counted, stored.at(-1)?.position ?? 0n)).pipe(
          Effect.retry(Schedule.spaced("50 millis")),
          Effect.timeout("20 seconds")
        )
        const found = new Map<string, number>()
        for (const id of new Set(stored.map(({ stream }) => stream.id))) {
          for (const { id: event, state } of yield* rowsOf(id)) {
            found.set(event, state.times)
            assert.strictEqual(state.after, state.version - 1, `${event} came after ${state.after}`)
          }
        }
        assert.isAbove(stored.length, rounds * 20)
        assert.deepStrictEqual(
          [...found].filter(([, times]) => times !== 1),
          []
        )
        assert.strictEqual(found.size, stored.length)
        yield* Effect.sync(() =>
          process.stdout.write(`owners: ${stored.length} events, ${rounds} kills, each effect once\n`)
        )
      }).pipe(
        Effect.scoped,
        Effect.provide(PgStore.layer().pipe(Layer.provideMerge(pgTest({ client: { maxConnections: 12 } }))))
      ),
    { timeout: 60_000 + rounds * 10_000 }
  )
})
