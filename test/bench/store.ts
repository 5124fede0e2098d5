/**
 * The event store beside raw SQL of the same shape through the same client, raw node-postgres, Emmett and Castore: each in
 * a process of its own, on one server, in turns.
 */
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Redacted } from "effect"
import { Database } from "effect-lifecycle/testing"
import { execFile } from "node:child_process"
import { closeSync, existsSync, fdatasyncSync, openSync, rmSync, writeSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { cluster } from "./cluster.ts"
import type { Figure } from "./storeLoad.ts"
import { interleaved, median, type Row, type Suite } from "./Suite.ts"

const rounds = 3
const millis = 1500
/** The embedded server is as careful with its disk as a server of production, and has memory like one; the same for all. */
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

const ask = Effect.fnUntraced(function*(
  subject: SubjectName,
  row: string,
  connectionString: string,
  more: object = {}
): Effect.fn.Return<unknown, never, Database.Server> {
  const script = path(
    subject === "ours" || subject === "alone" || subject === "sql" ? "storeSubject.ts" : "storePeer.mjs"
  )
  const { embedded } = yield* Database.Server
  const serverPid = embedded === undefined ? undefined : yield* embedded.pid
  const question = JSON.stringify({ subject, row, connectionString, millis, serverPid, ...more })
  const stdout = yield* execute(process.execPath, [
    "--disable-warning=ExperimentalWarning",
    "--expose-gc",
    script,
    question
  ])
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "")
})

/** How long this disk takes to keep one page for certain: what an append that has a commit of its own waits for. */
const fdatasyncMicros = (folder: string): number => {
  const file = join(folder, "lifecycle-bench-fdatasync")
  const page = Buffer.alloc(8192)
  const handle = openSync(file, "w")
  try {
    return median(Array.from({ length: 200 }, () => {
      writeSync(handle, page)
      const started = performance.now()
      fdatasyncSync(handle)
      return (performance.now() - started) * 1000
    }))
  } finally {
    closeSync(handle)
    rmSync(file)
  }
}

const describeServer = Effect.gen(function*() {
  const { description, embedded } = yield* Database.Server
  const settings = Object.entries(durable).map(([name, value]) => `${name}=${value}`).join(" ")
  console.log(
    embedded === undefined
      ? `server at ${description}, with its own settings`
      : `${description}: ${settings}; fdatasync ${fdatasyncMicros(dirname(embedded.directory)).toFixed(0)} us`
  )
})

const perSecond = (value: number) => `${Math.round(value).toLocaleString("en")} ev/s`

/** Figures of one question by subject: medians of the rounds that count, and the processor time beside them. */
const measured = (questions: Readonly<Record<string, Effect.Effect<unknown, unknown, Database.Server>>>) =>
  Effect.gen(function*() {
    const kept = new Map<string, Array<Figure>>(Object.keys(questions).map((name) => [name, []]))
    yield* interleaved(
      Object.fromEntries(
        Object.entries(questions).map(([name, question]) => [
          name,
          Effect.map(question, (answer) => {
            const figure = answer as Figure
            kept.get(name)?.push(figure)
            return figure.perSecond
          })
        ])
      ),
      rounds
    )
    const medians = [...kept].map(([name, [_warmUp, ...figures]]) => {
      const of = (key: keyof Figure) => median(figures.map((figure) => figure[key]))
      return [name, { perSecond: of("perSecond"), client: of("client"), server: of("server") }] as const
    })
    return Object.fromEntries(medians) as Readonly<Record<string, Figure>>
  })

const cell = ({ client, perSecond: value, server }: Figure): string =>
  `${perSecond(value)} (${client.toFixed(1)} + ${server.toFixed(1)} us)`

const nothing: Figure = { perSecond: 0, client: 0, server: 0 }

const rowsOf = (
  name: string,
  figures: Readonly<Record<string, Figure>>,
  goals: { readonly ours: number; readonly alone?: number }
): ReadonlyArray<Row> => {
  const { alone, ours = nothing, sql = nothing } = figures
  const others = Object.entries(figures).flatMap(([subject, figure]) =>
    subject === "ours" ? [] : [[titles[subject as keyof typeof titles], cell(figure)]]
  )
  const ahead = ["emmett", "castore"].every((peer) => (figures[peer] ?? nothing).perSecond < ours.perSecond)
  const row = (name: string, figure: Figure, goal: number, beside: boolean): Row => ({
    name,
    ours: cell(figure),
    peers: beside ? Object.fromEntries(others) : { [titles.sql]: cell(sql) },
    ratio: figure.perSecond / sql.perSecond,
    goal: `>= ${goal}${beside ? ", ahead of both peers" : ""}`,
    met: figure.perSecond / sql.perSecond >= goal && (!beside || ahead)
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
    measured(Object.fromEntries(names.map((name) => [name, ask(name, row, databases[name])])))
  const rows = [
    ...rowsOf("append one event, 16 callers", yield* measure("append", subjects), { ours: 2, alone: 0.6 }),
    ...rowsOf("append 100 events, 16 callers", yield* measure("batch", subjects), { ours: 0.7, alone: 0.7 }),
    ...rowsOf("read a stream of 1,000, 16 readers", yield* measure("read", subjects.filter((s) => s !== "alone")), {
      ours: 0.7
    })
  ]
  return rows
})

/** At its pace Emmett would take a minute a round for what the others have. */
const backlogOf = (name: SubjectName) => ({ backlog: name === "emmett" ? 20_000 : 200_000 })

const catchUp = Effect.gen(function*() {
  const names = ["ours", "sql", "pg", "emmett"] as const
  const databases = Object.fromEntries(
    yield* Effect.forEach(names, (name) =>
      Effect.tap(
        Effect.map(databaseFor(name), (database) => [name, database] as const),
        ([name, database]) => ask(name, "fill", database, backlogOf(name))
      ))
  ) as Record<SubjectName, string>
  const ofPages = (name: SubjectName, pageSize: number) =>
    ask(name, "catchUp", databases[name], { pageSize, ...backlogOf(name) })
  const { emmett = nothing, ours = nothing, pg = nothing, small = nothing, sql = nothing } = yield* measured({
    ours: ofPages("ours", 1000),
    sql: ofPages("sql", 1000),
    pg: ofPages("pg", 1000),
    emmett: ofPages("emmett", 1000),
    small: ofPages("ours", 100)
  })
  const ratio = ours.perSecond / sql.perSecond
  const row: Row = {
    name: "catch up over 200,000, batches of 1,000, no-op handler",
    ours: cell(ours),
    peers: {
      "raw paging, same client": cell(sql),
      [titles.pg]: cell(pg),
      "ours, batches of 100 (default)": cell(small),
      [`${titles.emmett}, over 20,000`]: cell(emmett),
      "Castore": "has no subscription"
    },
    ratio,
    goal: ">= 0.5, ahead of Emmett",
    met: ratio >= 0.5 && ours.perSecond > emmett.perSecond
  }
  return [row]
})

const size = Effect.gen(function*() {
  const figures = (yield* ask("ours", "growth", yield* databaseFor("ours"))) as Record<string, ReadonlyArray<number>>
  const micros = (what: string) => `${(1e6 / median(figures[what] ?? [])).toFixed(1)} us`
  const cost = (what: string, peers: Row["peers"]): Row => {
    const small = median(figures[`${what} small`] ?? [])
    const large = median(figures[`${what} large`] ?? [])
    return {
      name: `${what} beside 1,000,000 stored events`,
      ours: micros(`${what} large`),
      peers: { "beside 10,000": micros(`${what} small`), ...peers },
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
  // The events of a stream lie as far apart as can be: what their pages cost, everyone pays who reads them.
  const raw = `${micros("select large")}, ${micros("select small")} beside 10,000`
  return [cost("append", {}), cost("load", { "raw select, same client": raw }), memory]
})

export const store: Suite<never> = {
  name: "store",
  rows: Effect.gen(function*() {
    yield* withPeers
    yield* describeServer
    return [...(yield* throughput), ...(yield* catchUp), ...(yield* size), ...(yield* cluster)]
  }).pipe(Effect.scoped, Effect.provide(Database.layerServer({ settings: durable })))
}
