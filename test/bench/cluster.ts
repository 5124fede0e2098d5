/**
 * Commands through a cluster of one, two and three runners, each a process of its own over one PostgreSQL, beside the same
 * commands in one process that loads the aggregate for each. The callers are a process more: on a machine with fewer cores
 * than processes, runners share them, and what is seen is the price of a runner and not its gain.
 */
import { Clock, Context, Effect, Layer, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import { AggregateEntity } from "effect-lifecycle/cluster"
import { Domain, Mediator } from "effect-lifecycle/domain"
import * as PgStore from "effect-lifecycle/store/pg"
import { Database } from "effect-lifecycle/testing"
import { Add, addHandler } from "../cluster/support.ts"
import { startRunner } from "../faults/cluster.harness.ts"
import { counters, sender } from "../faults/cluster.runner.ts"
import { median, type Row } from "./Suite.ts"

const callers = 64
const aggregates = 500
const millis = 1500
const rounds = 3

/** Commands a second of all callers together, each waiting for its answer. */
const load = (send: (id: string) => Effect.Effect<unknown, unknown>) =>
  Effect.gen(function*() {
    const begin = yield* Clock.currentTimeMillis
    const end = begin + millis
    let done = 0
    const caller = (first: number) =>
      Effect.gen(function*() {
        for (let i = first; (yield* Clock.currentTimeMillis) < end; i += callers) {
          yield* send(`counter-${i % aggregates}`)
          done++
        }
      })
    yield* Effect.forEach(Array.from({ length: callers }, (_, i) => i), caller, {
      concurrency: "unbounded",
      discard: true
    })
    return done / (((yield* Clock.currentTimeMillis) - begin) / 1000)
  })

/** The median of the rounds, after one to warm up in which every aggregate is loaded. */
const measured = (send: (id: string) => Effect.Effect<unknown, unknown>) =>
  Effect.gen(function*() {
    const ready = send("counter-0").pipe(Effect.retry(Schedule.spaced("100 millis")))
    yield* ready
    yield* load(send)
    const figures: Array<number> = []
    for (let round = 0; round < rounds; round++) figures.push(yield* load(send))
    return median(figures)
  })

const database = Database.layerOn({ client: { maxConnections: 20 } })

const alone = Effect.gen(function*() {
  const context = yield* Layer.build(
    Domain.toLayer([addHandler]).pipe(Layer.provide(PgStore.layer()), Layer.provide(database))
  )
  return yield* measured((id) => Effect.provideContext(Mediator.send(Add, { id, by: 1 }), context))
}).pipe(Effect.scoped)

const runners = (count: number) =>
  Effect.gen(function*() {
    const { address } = yield* Database.Server
    const context = yield* Layer.build(Layer.provideMerge(sender, Layer.provideMerge(PgStore.layer(), database)))
    const [row] = yield* Context.get(context, SqlClient.SqlClient)<{ readonly name: string }>`
      select current_database() as name`
    const where = { address, database: row?.name ?? "" }
    // As this process was started: from `dist`, or from the sources.
    yield* Effect.forEach(Array.from({ length: count }), () => startRunner(where, process.execArgv))
    const client = yield* Effect.provideContext(AggregateEntity.client(counters), context)
    return yield* measured((id) => client.send(Add, { id, by: 1 }))
  }).pipe(Effect.scoped)

const perSecond = (figure: number) => `${Math.round(figure)} commands/s`

export const cluster: Effect.Effect<ReadonlyArray<Row>, unknown, Database.Server> = Effect.gen(function*() {
  const local = yield* alone
  const one = yield* runners(1)
  const rest = yield* Effect.forEach([2, 3], runners)
  return [one, ...rest].map((figure, index): Row => ({
    name: `Cluster: commands per second with ${["one runner", "two runners", "three runners"][index]}`,
    ours: perSecond(figure),
    peers: { "one runner": perSecond(one), "no cluster, loads for each": perSecond(local) },
    ratio: figure / one,
    goal: "printed",
    met: true
  }))
})
