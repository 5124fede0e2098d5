/** Kills the server, or the process that writes, at random moments, and compares what is there with what was answered. */
import { Effect, Fiber, Layer, Random, Schedule, type Scope, Stream } from "effect"
import { EventStore, Maintenance, Subscription } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { Database, EmbeddedPostgres } from "effect-lifecycle/testing"
import { SqlClient } from "effect/sql"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { inspect } from "node:util"
import {
  type Acknowledged,
  append,
  category,
  type Data,
  follow,
  makeEffects,
  subscription,
  type Told
} from "./kill.callers.ts"

export interface Outcome {
  readonly kills: number
  readonly acknowledged: number
  /** How often a caller was told that the connection was lost. */
  readonly cut: number
  /** Appends that are there although nobody was told. */
  readonly unacknowledged: number
  readonly events: number
  /** Appends that were answered and are not there as the answer says. */
  readonly lost: ReadonlyArray<string>
  /** Appends with some of their events, or with more than them. */
  readonly torn: ReadonlyArray<string>
  /** Events without exactly one effect. */
  readonly effects: ReadonlyArray<string>
  /** Effects that came before one of an earlier event of their stream. */
  readonly disordered: number
  /** What `verify` finds. */
  readonly faults: ReadonlyArray<string>
}

const database = "killed"
const childFile = fileURLToPath(new URL("kill.child.ts", import.meta.url))

/** So much is answered between two kills at least, so that each comes in the middle of work. */
const between = 150

const until = <E, R>(what: string, condition: Effect.Effect<boolean, E, R>) =>
  condition.pipe(
    Effect.filterOrFail((holds) => holds, () => new Error(`not within two minutes: ${what}`)),
    Effect.retry(Schedule.upTo(Schedule.spaced("10 millis"), { duration: "2 minutes" })),
    Effect.orDie
  )

const moment = Effect.flatMap(Random.nextIntBetween(0, 150), (millis) => Effect.sleep(millis))

const storeOn = (embedded: EmbeddedPostgres.EmbeddedPostgres) =>
  PgStore.layer({ pollEvery: "50 millis" }).pipe(
    Layer.provideMerge(Database.layerAt(embedded.connection, { name: database, client: { maxConnections: 12 } }))
  )

const countEffects = SqlClient.SqlClient.use((sql) =>
  sql<{ readonly n: number }>`select count(*)::int as n from effects`
)
  .pipe(Effect.map(([row]) => row?.n ?? 0))

/** A connection of the pool that died unnoticed fails whoever takes it first. */
const again = Effect.retry({ times: 20, schedule: Schedule.spaced("100 millis") })

/** Everything that was stored and done, held against the answers. */
const compare = Effect.fnUntraced(function*(kills: number, cut: number, answers: ReadonlyArray<Acknowledged>) {
  const sql = yield* SqlClient.SqlClient
  const store = yield* EventStore.EventStore
  const stored = yield* Stream.runCollect(store.readAll({ categories: [category] }))
  const subscriptions = yield* Subscription.Subscriptions
  yield* subscriptions.awaitPosition(subscription, stored.at(-1)?.position ?? 0n).pipe(
    Effect.timeout("3 minutes"),
    Effect.catch((error) =>
      Effect.flatMap(
        Effect.all([subscriptions.status(subscription), subscriptions.highWater]),
        (state) =>
          Effect.die(new Error(`the subscription did not catch up (${error.message}): ${inspect(state, { depth: 5 })}`))
      )
    )
  )

  const appends = Map.groupBy(stored, ({ data }) => (data as Data).append)
  const torn = [...appends].filter(([, events]) => {
    const [first] = events
    return first === undefined || (first.data as Data).of !== events.length ||
      events.some(({ data, stream, version }, i) =>
        (data as Data).place !== i || version !== first.version + i || stream.id !== first.stream.id
      )
  })
  const lost = answers.filter(({ append, firstVersion, position, stream, version }) => {
    const events = appends.get(append)
    const last = events?.at(-1)
    return events?.[0]?.version !== firstVersion || last?.version !== version || last.stream.id !== stream ||
      String(last.position) !== position
  })
  const told = new Set(answers.map(({ append }) => append))
  const rows = yield* sql<{ readonly position: string; readonly stream: string; readonly version: number }>`
    select position::text, stream, version from effects order by seq`
  const times = new Map<string, number>()
  const last = new Map<string, number>()
  let disordered = 0
  for (const { position, stream, version } of rows) {
    times.set(position, (times.get(position) ?? 0) + 1)
    if (version <= (last.get(stream) ?? 0)) disordered++
    last.set(stream, version)
  }
  const wrong = stored.filter(({ position }) => times.get(String(position)) !== 1)
  const { faults } = yield* Maintenance.verify()
  const outcome: Outcome = {
    kills,
    acknowledged: answers.length,
    cut,
    unacknowledged: [...appends.keys()].filter((append) => !told.has(append)).length,
    events: stored.length,
    lost: lost.map(({ append }) => append),
    torn: torn.map(([append]) => append),
    effects: [
      ...wrong.map(({ position }) => `${position}: ${times.get(String(position)) ?? 0}`),
      ...(times.size > stored.length ? [`${times.size - stored.length} of events that are not there`] : [])
    ],
    disordered,
    faults: faults.map(({ problem }) => problem)
  }
  return outcome
})

/**
 * The postmaster, and in every other round its sessions with it: those that outlive it still finish what they are doing,
 * those that do not leave statements and commits half done.
 */
const killAll = (postmaster: number, sessions: boolean): void => {
  const rows = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n")
  const children = rows.map((row) => row.trim().split(/\s+/).map(Number)).flatMap(([pid = 0, parent]) =>
    parent === postmaster ? [pid] : []
  )
  for (const pid of sessions ? [postmaster, ...children] : [postmaster]) {
    try {
      process.kill(pid, "SIGKILL")
    } catch {
      // It has ended by itself.
    }
  }
}

/** `kill -9` of the server, under callers and a subscription that live through it. */
export const killServer = (rounds: number): Effect.Effect<Outcome, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const embedded = yield* EmbeddedPostgres.make()
    return yield* Effect.gen(function*() {
      yield* makeEffects
      const answers: Array<Acknowledged> = []
      const stop = { now: false, cut: 0 }
      // A subscription that ends is a fault, whatever it ends with.
      return yield* Effect.raceFirst(
        follow,
        Effect.gen(function*() {
          const writing = yield* Effect.forkChild(append("p", (answer) => answers.push(answer), stop))
          for (let round = 0; round < rounds; round++) {
            const before = answers.length
            yield* until("the callers are answered", Effect.sync(() => answers.length > before + between))
            yield* moment
            killAll(yield* embedded.pid, round % 2 === 0)
            yield* until("the server is there again", Effect.map(embedded.restarts, (count) => count > round))
          }
          const before = answers.length
          yield* until("the callers are answered again", Effect.sync(() => answers.length > before + between))
          stop.now = true
          yield* Fiber.join(writing)
          return yield* again(compare(rounds, stop.cut, answers))
        })
      )
    }).pipe(Effect.provide(storeOn(embedded)))
  })

const end = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.on("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })

const writer = (told: Told): Effect.Effect<ChildProcess, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const { NODE_OPTIONS: _, ...env } = process.env
      const args = ["--conditions=lifecycle-source", "--disable-warning=ExperimentalWarning", childFile]
      return spawn(process.execPath, [...args, JSON.stringify(told)], { stdio: ["ignore", "inherit", "inherit"], env })
    }),
    end
  )

/** `kill -9` of the process that writes and follows; the next one goes on. */
export const killWriter = (rounds: number): Effect.Effect<Outcome, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const embedded = yield* EmbeddedPostgres.make()
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => fs.mkdtempSync(join(tmpdir(), "lc-kill-"))),
      (path) => Effect.sync(() => fs.rmSync(path, { recursive: true, force: true }))
    )
    const file = join(directory, "acknowledged")
    fs.writeFileSync(file, "")
    const lines = () => fs.readFileSync(file, "utf8").split("\n").slice(0, -1)
    return yield* Effect.gen(function*() {
      yield* makeEffects
      for (let round = 0; round < rounds; round++) {
        const before = lines().length
        const effects = yield* countEffects
        const child = yield* writer({ path: embedded.connection.path, database, prefix: `r${round}`, file })
        yield* until("the callers are answered", Effect.sync(() => lines().length > before + between))
        // It has taken over from the one before, whose lease had to end first.
        yield* until("it follows", Effect.map(countEffects, (count) => count > effects))
        yield* moment
        yield* end(child)
      }
      // What the last one had sent may still be on its way in its sessions.
      const sql = yield* SqlClient.SqlClient
      yield* until(
        "its sessions have ended",
        Effect.map(
          sql`select 1 from pg_stat_activity where datname = ${database} and state <> 'idle' and pid <> pg_backend_pid()
            and query like '%append%'`,
          (rows) => rows.length === 0
        )
      )
      // A line that was cut off is an answer that nobody has read.
      const answers = lines().map((line) => JSON.parse(line) as Acknowledged)
      return yield* Effect.raceFirst(follow, again(compare(rounds, 0, answers)))
    }).pipe(Effect.provide(storeOn(embedded)))
  })

export const isClean = ({ disordered, effects, faults, lost, torn }: Outcome): boolean =>
  lost.length + torn.length + effects.length + faults.length + disordered === 0

export const told = (name: string, outcome: Outcome): string =>
  `${name}: ${outcome.kills} kills, ${outcome.acknowledged} appends answered, ${outcome.cut} cut off, ` +
  `${outcome.unacknowledged} stored without an answer, ${outcome.events} events; ${outcome.lost.length} lost, ${outcome.torn.length} torn, ` +
  `${outcome.effects.length} without exactly one effect, ${outcome.disordered} out of order, ${outcome.faults.length} faults\n`
