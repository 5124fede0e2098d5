/**
 * What the road costs: the full server stack beside the same handler on a bare router, and an aggregate's append and load
 * beside raw SQL of the same shape through the same client.
 *
 * Both servers run in this process and read the user from the same PostgreSQL; the load comes from a process of its own.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Metric, Option, Redacted, Schema } from "effect"
import { Aggregate, Command, DomainEvent } from "effect-lifecycle/domain"
import { Logs, Metrics, Spans } from "effect-lifecycle/observability"
import { Authentication, ServerStack } from "effect-lifecycle/server"
import { layer as nodeListener } from "effect-lifecycle/server/NodeListener"
import { EventStore, StateStore } from "effect-lifecycle/store"
import * as Pg from "effect-lifecycle/store/pg"
import { Database } from "effect-lifecycle/testing"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { execFile } from "node:child_process"
import { randomUUID } from "node:crypto"
import { createServer } from "node:http"
import { networkInterfaces } from "node:os"
import { fileURLToPath } from "node:url"
import { interleaved, median, type Row, type Suite } from "./Suite.ts"

const rounds = 5
/** The embedded server is as careful with its disk here as a server of production. */
const durable = { fsync: "on", full_page_writes: "on" }
const connections = 16
/**
 * The machine's own address on the network, where it has one: a caller on the loopback is one of the house and gets
 * `Server-Timing` too, which no request from elsewhere pays for.
 */
const host =
  Object.values(networkInterfaces()).flat().find((one) => one?.family === "IPv4" && !one.internal)?.address ??
    "127.0.0.1"

const User = Schema.Struct({ id: Schema.String, name: Schema.String, email: Schema.String, active: Schema.Boolean })
const users = StateStore.collection({ name: "users", schema: User })
const alice = { id: "usr_1", name: "Alice", email: "alice@example.com", active: true }

const routes = HttpRouter.add(
  "GET",
  "/users/:id",
  Effect.gen(function*() {
    const { id } = yield* HttpRouter.schemaPathParams(Schema.Struct({ id: Schema.String }))
    const row = yield* StateStore.StateStore.use((store) => store.get(users, id))
    return Option.match(row, {
      onNone: () => HttpServerResponse.empty({ status: 404 }),
      onSome: ({ state }) => HttpServerResponse.jsonUnsafe(state)
    })
  })
)

interface Load {
  readonly perSecond: number
  readonly p99: number
  readonly failures: number
}

const load = (url: string): Effect.Effect<Load> =>
  Effect.callback((resume) => {
    const script = fileURLToPath(new URL("./load.mjs", import.meta.url))
    const headers = JSON.stringify({ authorization: "Bearer token123" })
    execFile(process.execPath, [script, url, String(connections), "1500", headers], (error, stdout) => {
      resume(error === null ? Effect.succeed(JSON.parse(stdout) as Load) : Effect.die(error))
    })
  })

const address = <E, R>(layer: Layer.Layer<HttpServer.HttpServer, E, R>) =>
  Effect.map(
    Layer.build(Layer.fresh(layer)),
    (context) => HttpServer.formatAddress(Context.get(context, HttpServer.HttpServer).address)
  )

const overHttp = Effect.gen(function*() {
  const bare = yield* address(
    HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host }))
    )
  )
  let lines = 0
  const telemetry = Layer.mergeAll(
    Logs.layer({ service: "users", sink: () => void lines++ }),
    Metrics.layer,
    Spans.layer
  )
  const stack = yield* address(
    ServerStack.serve(routes, { service: "users" }).pipe(
      Layer.provide(Authentication.layerTokens(Redacted.make("token123:alice"))),
      Layer.provideMerge(nodeListener({ port: 0, host })),
      Layer.provide([telemetry, Layer.succeed(Metric.MetricRegistry, new Map())])
    )
  )
  const p99: Record<"stack" | "bare", Array<number>> = { stack: [], bare: [] }
  const measure = (name: "stack" | "bare", url: string) =>
    Effect.flatMap(load(`${url}/users/usr_1`), (result) => {
      if (result.failures > 0) return Effect.die(new Error(`${name}: ${result.failures} requests failed`))
      p99[name].push(result.p99)
      return Effect.succeed(result.perSecond)
    })
  const figures = yield* interleaved({ stack: measure("stack", stack), bare: measure("bare", bare) }, rounds)
  if (lines === 0) return yield* Effect.die(new Error("the stack wrote no access log"))
  const ours = median(figures.stack)
  const peer = median(figures.bare)
  const oursP99 = median(p99.stack.slice(1))
  const peerP99 = median(p99.bare.slice(1))
  return [
    row("GET /users/{id}, requests/s", ours, { "bare HttpRouter": peer }, "requests/s", 0.85),
    {
      name: "GET /users/{id}, p99",
      ours: `${oursP99.toFixed(1)} ms`,
      peers: { "bare HttpRouter": `${peerP99.toFixed(1)} ms` },
      ratio: peerP99 / oursP99,
      goal: "printed",
      met: true
    }
  ]
})

const Add = Command.make("counters.Add", {
  payload: { id: Schema.String, by: Schema.Int, note: Schema.String },
  aggregateId: (payload) => payload.id
})
const Added = DomainEvent.make("Added", { schema: { by: Schema.Int, note: Schema.String } })
const Counter = Aggregate.make({
  name: "Counter",
  state: Schema.Struct({ total: Schema.Int }),
  initial: { total: 0 },
  commands: [Add],
  events: [Added],
  decide: { "counters.Add": (_state, { by, note }) => Effect.succeed([Added.make({ by, note })]) },
  evolve: { Added: (state, { by }) => ({ total: state.total + by }) }
})
const note = "x".repeat(180)
const writers = 16
const appendsEach = 60
const loads = 100
const streamLength = 100

/** Operations per second of `each`, by `writers` fibers that do `times` of them. */
const perSecond = <E, R>(times: number, each: (writer: string, n: number) => Effect.Effect<unknown, E, R>) =>
  Effect.suspend(() => {
    const started = performance.now()
    return Effect.forEach(
      Array.from({ length: writers }, () => randomUUID()),
      (writer) => Effect.forEach(Array.from({ length: times }, (_, n) => n), (n) => each(writer, n), { discard: true }),
      {
        concurrency: "unbounded",
        discard: true
      }
    ).pipe(Effect.map(() => (writers * times) / ((performance.now() - started) / 1000)))
  })

const overSql = Effect.gen(function*() {
  const sql = yield* PgClient.PgClient
  const store = yield* EventStore.EventStore
  yield* sql`create table raw_streams (stream text primary key, version bigint not null) with (fillfactor = 70)`
  yield* sql`create table raw_events (position bigserial primary key, stream text not null, version bigint not null,
    event_id uuid not null, type text not null, schema_version int not null, data json not null, meta json not null,
    at timestamptz not null default now(), unique (stream, version))`
  // The same work by hand: take the version of the stream where it is the expected one, then write the event.
  const rawAppend = (stream: string, version: number) =>
    sql`with taken as (
      insert into raw_streams (stream, version) values (${stream}, ${version})
      on conflict (stream) do update set version = excluded.version where raw_streams.version = excluded.version - 1
      returning stream, version
    ) insert into raw_events (stream, version, event_id, type, schema_version, data, meta)
      select stream, version, ${randomUUID()}::uuid, 'Added', 1, ${JSON.stringify({ by: 1, note })}::json, '{}'::json
      from taken returning position`
  const rawInsert = (stream: string, version: number) =>
    sql`insert into raw_events (stream, version, event_id, type, schema_version, data, meta)
      values (${stream}, ${version}, ${randomUUID()}, 'Added', 1, ${JSON.stringify({ by: 1, note })}, '{}')`
  const append = (id: string, version: number, count = 1) =>
    store.append({
      stream: { category: "Counter", id },
      expect: version,
      events: Array.from({ length: count }, () => ({ type: "Added", data: { by: 1, note } }))
    })
  const appends = yield* interleaved({
    ours: perSecond(appendsEach, (writer, n) => append(writer, n)),
    sameShape: perSecond(appendsEach, (writer, n) => rawAppend(writer, n + 1)),
    insert: perSecond(appendsEach, (writer, n) => rawInsert(writer, n + 1))
  }, rounds)

  yield* append("full", 0, streamLength)
  for (let version = 1; version <= streamLength; version++) yield* rawInsert("full", version)
  const select = sql<{ data: { by: number } }>`select position, version, event_id, type, schema_version, data, meta, at
    from raw_events where stream = 'full' order by version`
  const rawFold = Effect.map(select, (rows) => rows.reduce((total, { data }) => total + data.by, 0))
  const folded = yield* Aggregate.load(Counter, "full")
  if (folded.state.total !== streamLength || (yield* rawFold) !== streamLength) {
    return yield* Effect.die(new Error("the two loads differ"))
  }
  const reads = yield* interleaved({
    ours: perSecond(loads, () => Aggregate.load(Counter, "full")),
    raw: perSecond(loads, () => rawFold)
  }, rounds)
  return [
    row(
      "append one event, 16 writers",
      median(appends.ours),
      {
        "raw SQL, version and event": median(appends.sameShape)
      },
      "appends/s",
      0.6
    ),
    row(
      "the same beside a bare insert",
      median(appends.ours),
      {
        "raw insert, no stream row": median(appends.insert)
      },
      "appends/s",
      0.6
    ),
    row(
      "load an aggregate of 100 events",
      median(reads.ours),
      { "raw select and sum": median(reads.raw) },
      "loads/s",
      0.6
    )
  ]
})

const row = (
  name: string,
  ours: number,
  peers: Readonly<Record<string, number>>,
  unit: string,
  goal: number
): Row => {
  const [peer = 0] = Object.values(peers)
  const show = (value: number) => `${Math.round(value).toLocaleString("en")} ${unit}`
  return {
    name,
    ours: show(ours),
    peers: Object.fromEntries(Object.entries(peers).map(([peer, value]) => [peer, show(value)])),
    ratio: ours / peer,
    goal: `>= ${goal}`,
    met: ours / peer >= goal
  }
}

export const server: Suite<never> = {
  name: "server",
  rows: Effect.gen(function*() {
    yield* StateStore.StateStore.use((store) => store.put(users, { id: alice.id, version: 1, state: alice }))
    return [...(yield* overHttp), ...(yield* overSql)]
  }).pipe(
    Effect.scoped,
    Effect.provide(
      Pg.layer({ collections: [users] }).pipe(
        Layer.provideMerge(Database.layer({ client: { maxConnections: writers }, settings: durable }))
      )
    )
  )
}
