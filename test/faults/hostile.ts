/**
 * The schedule that makes readers of a sequence lose events: transactions that take their id early and their position
 * late, that linger before they commit, that roll back, and one that stays open in another database of the same server.
 * Readers of several kinds follow the same events, and each is held against what was committed.
 */
import type { PgClient } from "@effect/sql-pg"
import { Context, Effect, Fiber, Layer, Random, Stream } from "effect"
import { EventStore, Subscription, UnitOfWork } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { SqlClient } from "effect/sql"

export interface Options {
  readonly writers: number
  readonly streams: number
  /** Committed events before it ends. */
  readonly events: number
  /** How long the unrelated transaction stays open. */
  readonly stallMillis: number
}

export interface Found {
  readonly missed: number
  readonly invented: number
  readonly duplicated: number
  readonly inversions: number
  readonly duringStall: number
}

type Label = { readonly id: string; readonly version: number }

/** What a reader was given, in the order in which it was. */
class Received {
  readonly events: Array<string> = []
  readonly versions = new Map<string, number>()
  inversions = 0
  before = 0
  during = 0
  readonly take = ({ id, version }: Label): void => {
    this.events.push(`${id}:${version}`)
    if (version < (this.versions.get(id) ?? 0)) this.inversions++
    this.versions.set(id, version)
  }
  readonly event = ({ stream, version }: EventStore.StoredEvent): Effect.Effect<void> =>
    Effect.sync(() => this.take({ id: stream.id, version }))
  against(written: ReadonlySet<string>): Found {
    const distinct = new Set(this.events)
    return {
      missed: [...written].filter((event) => !distinct.has(event)).length,
      invented: [...distinct].filter((event) => !written.has(event)).length,
      duplicated: this.events.length - distinct.size,
      inversions: this.inversions,
      duringStall: this.during - this.before
    }
  }
}

/** The same database as another process sees it: a layer, a pool's share and a mark of its own. */
const elsewhere = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  return yield* Layer.build(
    Layer.fresh(PgStore.layer()).pipe(Layer.provide(Layer.succeed(SqlClient.SqlClient, sql)))
  )
})

const writer = (id: number, { streams }: Options, written: Set<string>, stop: { now: boolean }) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const store = yield* EventStore.EventStore
    const unit = yield* UnitOfWork.UnitOfWork
    while (!stop.now) {
      const stream = `s-${Math.floor((yield* Random.next) * streams)}`
      const early = (yield* Random.next) < 0.5
      const lingers = (yield* Random.next) < 0.2
      const undoes = (yield* Random.next) < 0.08
      const result = yield* unit.run(Effect.gen(function*() {
        if (early) {
          yield* sql`select pg_current_xact_id()::text`
          yield* Effect.sleep((yield* Random.next) * 4)
        }
        const count = 1 + Math.floor((yield* Random.next) * 2)
        const appended = yield* store.append({
          stream: { category: "Hostile", id: stream },
          expect: "any",
          events: Array.from({ length: count }, () => ({ type: "Written", data: { writer: id } }))
        })
        if (lingers) yield* Effect.sleep((yield* Random.next) * 12)
        if (undoes) return yield* Effect.fail("undone" as const)
        return appended
      })).pipe(Effect.catch((error) => error === "undone" ? Effect.void : Effect.die(error)))
      if (result === undefined || result._tag !== "Appended") continue
      for (let version = result.firstVersion; version <= result.version; version++) written.add(`${stream}:${version}`)
    }
  })

/** Holds a transaction with an id open in another database of the server, until it is interrupted. */
const unrelated = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  return yield* sql.withTransaction(Effect.andThen(sql`select pg_current_xact_id()::text`, Effect.never))
})

interface Row {
  readonly id: string
  readonly version: unknown
  readonly position: unknown
}

/**
 * Readers that ask by position alone. `naive` takes what is visible. The others take only rows of transactions below the
 * oldest open one, as the system column shows: by position, or as Emmett 0.42 does, by transaction and position with
 * the position alone as the checkpoint.
 */
const below = "e.xmin::text::bigint < pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
const shapes = {
  naive: { where: "true", order: "e.position" },
  "xid < xmin": { where: below, order: "e.position" },
  "Emmett's query": { where: below, order: "e.xmin::text::bigint, e.position" }
}

const asker = ({ order, where }: typeof shapes.naive, received: Received, stop: { now: boolean }) =>
  Effect.gen(function*() {
    const sql = (yield* SqlClient.SqlClient).withoutTransforms()
    let after = "0"
    while (true) {
      const last = stop.now
      const rows = yield* sql.unsafe<Row>(
        `select s.name as id, e.version, e.position from es.events e join es.streams s on s.id = e.stream_id
         where e.position > $1::bigint and ${where} order by ${order} limit 1000`,
        [after]
      )
      for (const { id, position, version } of rows) {
        received.take({ id, version: Number(version) })
        after = String(position)
      }
      if (last && rows.length === 0) return
      yield* Effect.sleep(rows.length === 1000 ? 0 : 2)
    }
  })

/** Needs the store and, around it, the client; `another` makes a client of another database on the same server. */
export const hostile = <E>(
  options: Options,
  another: Layer.Layer<PgClient.PgClient | SqlClient.SqlClient, E>
) =>
  Effect.gen(function*() {
    const store = yield* EventStore.EventStore
    const inside = yield* Subscription.Subscriptions
    const outside = Context.get(yield* elsewhere, Subscription.Subscriptions)
    const third = Context.get(yield* elsewhere, Subscription.Subscriptions)
    const unit = yield* UnitOfWork.UnitOfWork
    const written = new Set<string>()
    const stop = { now: false }
    /** An event counts as handled once its checkpoint is committed with it. */
    const handled = (received: Received) => (event: EventStore.StoredEvent) => unit.afterCommit(received.event(event))
    const received = {
      stream: new Received(),
      subscription: new Received(),
      partitioned: new Received(),
      naive: new Received(),
      "xid < xmin": new Received(),
      "Emmett's query": new Received()
    }
    yield* Effect.forkChild(Stream.runForEach(inside.events(), received.stream.event))
    yield* Effect.forkChild(outside.run({ name: "hostile", handle: handled(received.subscription) }))
    // Two owners divide the partitions, so both give to one list.
    for (const owner of [inside, third]) {
      yield* Effect.forkChild(owner.run({ name: "divided", partitions: 4, handle: handled(received.partitioned) }))
    }
    const asking = yield* Effect.forEach(["naive", "xid < xmin", "Emmett's query"] as const, (name) =>
      Effect.forkChild(asker(shapes[name], received[name], stop)))
    const working = yield* Effect.forkChild(
      Effect.all(
        Array.from({ length: options.writers }, (_, id) =>
          writer(id, options, written, stop)),
        {
          concurrency: "unbounded",
          discard: true
        }
      )
    )
    const readers = Object.values(received)
    yield* Effect.sleep("500 millis")
    const stall = yield* Effect.forkChild(Effect.provide(unrelated, Layer.fresh(another)))
    yield* Effect.sleep("500 millis")
    for (const reader of readers) reader.before = reader.events.length
    yield* Effect.sleep(options.stallMillis)
    for (const reader of readers) reader.during = reader.events.length
    yield* Fiber.interrupt(stall)
    yield* Effect.sleep("500 millis")
    while (written.size < options.events) yield* Effect.sleep("50 millis")
    stop.now = true
    yield* Fiber.join(working)
    yield* Effect.forEach(asking, Fiber.join)

    const stored = yield* Stream.runCollect(store.readAll())
    const last = stored.at(-1)?.position ?? 0n
    yield* Effect.forEach(
      ["hostile", "divided"],
      (name) => outside.awaitPosition(name, last).pipe(Effect.timeout("60 seconds"))
    )
    yield* Effect.sleep("200 millis")
    const found = Object.fromEntries(
      Object.entries(received).map(([name, reader]) => [name, reader.against(written)] as const)
    ) as Record<keyof typeof received, Found>
    return { committed: written.size, stored: stored.length, lost: Number(last) - stored.length, found }
  })

export const table = (
  { committed, found, lost }: Effect.Success<ReturnType<typeof hostile>>,
  { stallMillis }: Options
): string =>
  `ordering: ${committed} events committed, ${lost} positions lost to rollbacks; an unrelated transaction open\n` +
  Object.entries(found).map(([name, result]) =>
    `  ${name.padEnd(16)}${
      (["missed", "invented", "duplicated", "inversions"] as const).map((what) =>
        `${what} ${String(result[what]).padEnd(7)}`
      ).join(" ")
    } ${result.duringStall} delivered in ${stallMillis} ms beside it\n`
  ).join("")
