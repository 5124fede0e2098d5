/**
 * One measurement of the store, or of raw SQL through the same client, in a process of its own:
 * `node storeSubject.ts '{"subject":"ours","row":"append",...}'`.
 */
import { PgClient } from "@effect/sql-pg"
import { Context, Deferred, Effect, Fiber, Layer, Redacted, Stream } from "effect"
import { EventStore, Subscription } from "effect-lifecycle/store"
import * as Pg from "effect-lifecycle/store/pg"
import { randomUUID } from "node:crypto"
import { answer, backlog, batchLength, callers, config, meter, note, streamLength } from "./storeLoad.ts"

interface Question {
  readonly subject: "ours" | "alone" | "sql"
  readonly row: "append" | "batch" | "read" | "fill" | "catchUp" | "growth" | "memory"
  readonly connectionString: string
  readonly millis: number
  readonly pageSize?: number
}
const { connectionString, millis, pageSize = 1000, row, subject } = config as Question

const data = { by: 1, note }
const times = <A>(length: number, make: (index: number) => A) => Array.from({ length }, (_, index) => make(index))

interface Subject {
  readonly append: (stream: string, version: number, count: number) => Effect.Effect<unknown, unknown>
  readonly read: (stream: string) => Effect.Effect<number, unknown>
  readonly catchUp: Effect.Effect<number, unknown>
}

const raw = Effect.gen(function*() {
  const sql = yield* PgClient.PgClient
  const streams = new Map<string, bigint>()
  const idOf = (stream: string): bigint => {
    const known = streams.get(stream)
    if (known !== undefined) return known
    const made = BigInt(`0x${randomUUID().slice(0, 8)}`) * 1000n + BigInt(streams.size)
    streams.set(stream, made)
    return made
  }
  const json = () => JSON.stringify(data)
  const made: Subject = {
    append: (stream, version, count) =>
      count === 1
        ? sql.unsafe(
          `insert into raw_events (stream_id, version, event_id, type, schema_version, data, meta, at)
            values ($1, $2, $3, $4, $5, $6::json, $7::json, now()) returning position`,
          [idOf(stream), version + 1, randomUUID(), "Added", 1, json(), "{}"]
        )
        : sql.unsafe(
          `insert into raw_events (stream_id, version, event_id, type, schema_version, data, meta, at)
            select $1, n.version, n.id::uuid, n.type, n.schema_version, n.data::json, n.meta::json, now()
            from unnest($2::bigint[], $3::text[], $4::text[], $5::int[], $6::text[], $7::text[])
              as n (version, id, type, schema_version, data, meta) returning position`,
          [
            idOf(stream),
            times(count, (i) => BigInt(version + i + 1)),
            times(count, () => randomUUID()),
            times(count, () => "Added"),
            times(count, () => 1),
            times(count, json),
            times(count, () => "{}")
          ]
        ),
    read: (stream) =>
      Effect.map(
        sql.unsafe(
          `select position, version, event_id, type, schema_version, data, meta, at from raw_events
            where stream_id = $1 order by version`,
          [idOf(stream)]
        ),
        (rows) => rows.length
      ),
    catchUp: Effect.gen(function*() {
      let after: unknown = 0n
      let seen = 0
      while (true) {
        const rows: ReadonlyArray<{ readonly position: unknown }> = yield* sql.unsafe<{ readonly position: unknown }>(
          `select position, stream_id, version, event_id, type, schema_version, data, meta, at from raw_events
            where position > $1::bigint order by position limit ${pageSize}`,
          [after]
        )
        seen += rows.length
        if (rows.length < pageSize) return seen
        after = rows.at(-1)?.position
      }
    })
  }
  return made
})

/** Runs a new subscription until it has seen so many events. */
const through = (events: number, batchSize: number) =>
  Effect.gen(function*() {
    const subscriptions = yield* Subscription.Subscriptions
    const done = yield* Deferred.make<void>()
    let seen = 0
    const running = yield* Effect.forkChild(subscriptions.run({
      name: randomUUID(),
      batchSize,
      handle: () => ++seen === events ? Effect.asVoid(Deferred.succeed(done, undefined)) : Effect.void
    }))
    yield* Deferred.await(done)
    yield* Fiber.interrupt(running)
    return seen
  })

const ours = Effect.gen(function*() {
  const store = yield* EventStore.EventStore
  const context = yield* Effect.context<Subscription.Subscriptions>()
  const made: Subject = {
    append: (stream, version, count) =>
      store.append({
        stream: { category: "Counter", id: stream },
        expect: version,
        events: times(count, () => ({ type: "Added", data }))
      }),
    read: (stream) => Stream.runFold(store.read({ category: "Counter", id: stream }), () => 0, (count) => count + 1),
    catchUp: Effect.provideContext(through(backlog, pageSize), context)
  }
  return made
})

/** Calls of `each` per second by concurrent callers, as the peers' loop counts them. */
const rate = <E>(each: (caller: number, n: number) => Effect.Effect<unknown, E>, per: number, count = callers) =>
  Effect.gen(function*() {
    let calls = 0
    const run = { on: true }
    const caller = (index: number) =>
      Effect.gen(function*() {
        for (let n = 0; run.on; n++) {
          yield* each(index, n)
          calls++
        }
      })
    const running = yield* Effect.forEach(times(count, (index) => index), (index) => Effect.forkChild(caller(index)))
    yield* Effect.sleep(600)
    const from = calls
    const measured = meter()
    yield* Effect.sleep(millis)
    const figure = measured(per * (calls - from))
    run.on = false
    yield* Fiber.joinAll(running)
    return figure
  })

/** Appends and loads a second beside so many stored events, in a schema of that size. */
const growth = Effect.gen(function*() {
  const sql = yield* PgClient.PgClient
  const sizes = { small: 10_000, large: 1_000_000 }
  const stores = yield* Effect.forEach(Object.entries(sizes), ([schema, size]) =>
    Effect.gen(function*() {
      const context = yield* Layer.build(Layer.fresh(Pg.layer({ schema })))
      yield* sql.unsafe(`insert into ${schema}.streams (tenant, category, name, version)
        select '', 'Counter', 's-' || i, 100 from generate_series(1, ${size / 100}) i`)
      yield* sql.unsafe(
        `insert into ${schema}.events (stream_id, version, event_id, type, schema_version, data, meta, at, checksum)
        select s.id, v, gen_random_uuid(), 'Added', 1, '${JSON.stringify(data)}', '{}', now(), sha256('${note}')
        from generate_series(1, 100) v, ${schema}.streams s order by v, s.id`
      )
      yield* sql.unsafe(`vacuum analyze ${schema}.events, ${schema}.streams`).unprepared
      const store = Context.get(context, EventStore.EventStore)
      const pick = () => `s-${1 + Math.floor(Math.random() * (size / 100))}`
      return {
        append: () =>
          store.append({
            stream: { category: "Counter", id: pick() },
            expect: "any",
            events: [{ type: "Added", data }]
          }),
        load: () => Stream.runDrain(store.read({ category: "Counter", id: pick() }, { limit: 100 })),
        select: () =>
          sql.unsafe(
            `select position, version, event_id, type, schema_version, data, meta, at from ${schema}.events
              where stream_id = (select id from ${schema}.streams where tenant = '' and category = 'Counter' and name = $1)
              order by version limit 100`,
            [pick()]
          )
      }
    }))
  const figures: Record<string, Array<number>> = {}
  for (let round = 0; round < 6; round++) {
    for (const place of round % 2 === 0 ? [0, 1] : [1, 0]) {
      for (const what of ["append", "load", "select"] as const) {
        const { perSecond } = yield* rate<unknown>(stores[place]![what], 1)
        if (round > 0) (figures[`${what} ${place === 0 ? "small" : "large"}`] ??= []).push(perSecond)
      }
    }
  }
  return figures
})

/** Megabytes that a subscription over a million events needs at most above the idle process. */
const memory = Effect.gen(function*() {
  const sql = yield* PgClient.PgClient
  const stored = 1_000_000
  yield* sql.unsafe(`insert into es.streams (tenant, category, name, version)
    select '', 'Counter', 's-' || i, 100 from generate_series(1, ${stored / 100}) i`)
  yield* sql.unsafe(
    `insert into es.events (stream_id, version, event_id, type, schema_version, data, meta, at, checksum)
    select s.id, v, gen_random_uuid(), 'Added', 1, '${JSON.stringify(data)}', '{}', now(), sha256('${note}')
    from generate_series(1, 100) v, es.streams s order by v, s.id`
  )
  yield* sql.unsafe(`vacuum analyze es.events, es.streams`).unprepared
  // A page is read and forgotten before, so that what is loaded once does not count.
  yield* Stream.runDrain((yield* EventStore.EventStore).readAll({ limit: 2000 }))
  globalThis.gc?.()
  const idle = process.memoryUsage.rss()
  let most = idle
  const watch = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss())
  }, 10)
  const started = performance.now()
  yield* through(stored, 100)
  clearInterval(watch)
  return { megabytes: (most - idle) / 2 ** 20, seconds: (performance.now() - started) / 1000 }
})

const program = Effect.gen(function*() {
  if (row === "growth") return yield* growth
  if (row === "memory") return yield* memory
  const { append, catchUp, read } = yield* subject === "sql" ? raw : ours
  if (row === "append" || row === "batch") {
    const streams = times(callers, () => randomUUID())
    const count = row === "append" ? 1 : batchLength
    return yield* rate((caller, n) => append(streams[caller]!, n * count, count), count)
  }
  if (row === "read") {
    const stream = randomUUID()
    yield* append(stream, 0, streamLength)
    if ((yield* read(stream)) !== streamLength) return yield* Effect.die(new Error("did not read what was written"))
    return yield* rate(() => read(stream), streamLength)
  }
  if (row === "fill") {
    const size = 500
    for (let n = 0; n < backlog / size; n++) yield* append(randomUUID(), 0, size)
    return backlog
  }
  // As in the other rows, what is measured has run before: the compiler of Node is at work for as long as 200,000 events take.
  yield* catchUp
  const measured = meter()
  const seen = yield* catchUp
  if (seen !== backlog) return yield* Effect.die(new Error(`saw ${seen} of ${backlog} events`))
  return measured(seen)
})

const address = new URL(connectionString)
const folder = address.searchParams.get("host")
const client = PgClient.layer({
  maxConnections: callers,
  ...(folder === null ? { url: Redacted.make(connectionString) } : {
    path: `${folder}/.s.PGSQL.5432`,
    username: address.username,
    database: address.pathname.slice(1)
  })
})
const store = Pg.layer({ coalesce: subject !== "alone" })

Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(store.pipe(Layer.provideMerge(client))))).then(answer)
