/**
 * The event store beside raw SQL of the same shape through the same client, raw node-postgres, Emmett and Castore: each in
 * a process of its own, on one server, in turns.
 */
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Redacted } from "effect"
import { Database } from "effect-lifecycle/testing"
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import { interleaved, median, type Row, type Suite } from "./Suite.ts"

const rounds = 3
const millis = 1500
/** The embedded server is as careful with its disk as a server of production, and has memory like one. */
const durable = { fsync: "on", full_page_writes: "on", shared_buffers: "1GB", max_wal_size: "8GB" }
const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))

const peers = ["pg", "emmett", "castore"] as const
const subjects = ["ours", "alone", "sql", ...peers] as const
type SubjectName = (typeof subjects)[number]

const titles: Readonly<Record<Exclude<SubjectName, "ours">, string>> = {
  sql: "raw SQL, same client",
  pg: "raw node-postgres",
  alone: "ours, coalesce: false",
  emmett: "Emmett 0.42.0",
  castore: "Castore 2.4.2"
}

const execute = (command: string, args: ReadonlyArray<string>): Effect.Effect<string> =>
  Effect.callback((resume) => {
    execFile(command, args, (error, stdout, stderr) =>
      resume(
        error === null ? Effect.succeed(stdout) : Effect.die(new Error(`${command} ${args.join(" ")}: ${stderr}`))
      ))
  })

const withPeers = Effect.suspend(() =>
  existsSync(path("peers/node_modules/pg")) ? Effect.void : execute("npm", ["ci", "--prefix", path("peers")])
)

const rawTable = `create table raw_events (
  position bigserial primary key, stream_id bigint not null, version bigint not null, event_id uuid not null,
  type text not null, schema_version int not null, data json not null, meta json not null, at timestamptz not null,
  unique (stream_id, version))`

const connectionStringOf = (config: PgClient.PgClient["config"]): string => {
  if (config.path !== undefined) {
    return `postgresql://${config.username}@localhost/${config.database}?host=${dirname(config.path)}`
  }
  const url = new URL(config.url === undefined ? "" : Redacted.value(config.url))
  if (config.database !== undefined) url.pathname = config.database
  return url.href
}

/** A database of its own for each subject and kind of question. */
const databaseFor = (subject: SubjectName) =>
  Effect.gen(function*() {
    const context = yield* Layer.build(Layer.fresh(Database.layerOn({ client: { maxConnections: 1 } })))
    const sql = Context.get(context, PgClient.PgClient)
    if (subject === "sql" || subject === "pg") yield* sql.unsafe(rawTable)
    return connectionStringOf(sql.config)
  })

const ask = (
  subject: SubjectName,
  row: string,
  connectionString: string,
  more: object = {}
): Effect.Effect<unknown> => {
  const script = path(
    subject === "ours" || subject === "alone" || subject === "sql" ? "storeSubject.ts" : "storePeer.mjs"
  )
  const question = JSON.stringify({ subject, row, connectionString, millis, ...more })
  return Effect.map(
    execute(process.execPath, ["--disable-warning=ExperimentalWarning", "--expose-gc", script, question]),
    (stdout) => JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as unknown
  )
}

const perSecond = (value: number) => `${Math.round(value).toLocaleString("en")} ev/s`

const rowsOf = (
  name: string,
  figures: Readonly<Record<string, number>>,
  goals: { readonly ours: number; readonly alone?: number }
): ReadonlyArray<Row> => {
  const { alone, ours = 0, sql = 1 } = figures
  const others = Object.entries(figures).flatMap(([subject, figure]) =>
    subject === "ours" ? [] : [[titles[subject as keyof typeof titles], perSecond(figure)]]
  )
  const ahead = ["emmett", "castore"].every((peer) => (figures[peer] ?? 0) < ours)
  const row = (name: string, figure: number, goal: number, beside: boolean): Row => ({
    name,
    ours: perSecond(figure),
    peers: beside ? Object.fromEntries(others) : { [titles.sql]: perSecond(sql) },
    ratio: figure / sql,
    goal: `>= ${goal}${beside ? ", ahead of both peers" : ""}`,
    met: figure / sql >= goal && (!beside || ahead)
  })
  return [
    row(name, ours, goals.ours, true),
    ...(goals.alone === undefined || alone === undefined
      ? []
      : [row("  with coalesce: false", alone, goals.alone, false)])
  ]
}

const throughput = Effect.gen(function*() {
  const databases = Object.fromEntries(
    yield* Effect.forEach(subjects, (subject) => Effect.map(databaseFor(subject), (database) => [subject, database]))
  ) as Record<SubjectName, string>
  const measure = (row: string, names: ReadonlyArray<SubjectName>) =>
    Effect.map(
      interleaved(
        Object.fromEntries(
          names.map((name) => [name, Effect.map(ask(name, row, databases[name]), Number)])
        ),
        rounds
      ),
      (figures) => Object.fromEntries(Object.entries(figures).map(([name, values]) => [name, median(values)]))
    )
  const rows = [
    ...rowsOf("append one event, 16 callers", yield* measure("append", subjects), { ours: 2, alone: 0.6 }),
    ...rowsOf("append 100 events, 16 callers", yield* measure("batch", subjects), { ours: 0.7, alone: 0.7 }),
    ...rowsOf("read a stream of 1,000, 16 readers", yield* measure("read", subjects.filter((s) => s !== "alone")), {
      ours: 0.7
    })
  ]
  return rows
})

const catchUp = Effect.gen(function*() {
  const names = ["ours", "sql", "pg", "emmett"] as const
  const databases = Object.fromEntries(
    yield* Effect.forEach(names, (name) =>
      Effect.tap(
        Effect.map(databaseFor(name), (database) => [name, database] as const),
        ([name, database]) => ask(name, "fill", database)
      ))
  ) as Record<SubjectName, string>
  const ofPages = (name: SubjectName, pageSize: number) =>
    Effect.map(ask(name, "catchUp", databases[name], { pageSize }), Number)
  const figures = yield* interleaved({
    ours: ofPages("ours", 1000),
    sql: ofPages("sql", 1000),
    pg: ofPages("pg", 1000),
    emmett: ofPages("emmett", 1000),
    small: ofPages("ours", 100)
  }, rounds)
  const ours = median(figures.ours)
  const sql = median(figures.sql)
  const emmett = median(figures.emmett)
  const row: Row = {
    name: "catch up over 50,000, batches of 1,000, no-op handler",
    ours: perSecond(ours),
    peers: {
      "raw paging, same client": perSecond(sql),
      [titles.pg]: perSecond(median(figures.pg)),
      "ours, batches of 100 (default)": perSecond(median(figures.small)),
      [titles.emmett]: perSecond(emmett),
      "Castore": "has no subscription"
    },
    ratio: ours / sql,
    goal: ">= 0.5, ahead of Emmett",
    met: ours / sql >= 0.5 && ours > emmett
  }
  return [row]
})

const size = Effect.gen(function*() {
  const figures = (yield* ask("ours", "growth", yield* databaseFor("ours"))) as Record<string, ReadonlyArray<number>>
  const cost = (what: string): Row => {
    const small = median(figures[`${what} small`] ?? [])
    const large = median(figures[`${what} large`] ?? [])
    return {
      name: `${what} beside 1,000,000 stored events`,
      ours: `${(1e6 / large).toFixed(1)} us`,
      peers: { "beside 10,000": `${(1e6 / small).toFixed(1)} us` },
      ratio: small / large,
      goal: "costs <= 1.2x",
      met: small / large <= 1.2
    }
  }
  const { megabytes, seconds } = (yield* ask("ours", "memory", yield* databaseFor("ours"))) as {
    readonly megabytes: number
    readonly seconds: number
  }
  const memory: Row = {
    name: "subscription over 1,000,000 events, memory above idle",
    ours: `${megabytes.toFixed(0)} MB`,
    peers: { "at": perSecond(1e6 / seconds) },
    ratio: 64 / megabytes,
    goal: "<= 64 MB",
    met: megabytes <= 64
  }
  return [cost("append"), cost("load"), memory]
})

export const store: Suite<never> = {
  name: "store",
  rows: Effect.gen(function*() {
    yield* withPeers
    return [...(yield* throughput), ...(yield* catchUp), ...(yield* size)]
  }).pipe(Effect.scoped, Effect.provide(Database.layerServer({ settings: durable })))
}
