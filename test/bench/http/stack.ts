/**
 * The whole stack beside the same handlers on a bare `HttpRouter`, in one process and in turns: `stack` as it comes, `full`
 * with every slot filled. The load comes from a process of its own; beside each rate stands the processor time of one
 * request in this process, which a busy machine changes less.
 */
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer } from "effect"
import { Database } from "effect-lifecycle/testing"
import type { Row } from "../Suite.ts"
import { cpuMicros } from "./answering.ts"
import { bare, dropped, full, type Kind, logged, served, withDatabase } from "./app.ts"
import { compare, connections, type Figure, portOf, printed, quick, rate, type Subject, time } from "./measure.ts"
import type { Process } from "./processes.ts"

/** The embedded server is as careful with its disk as a server of production. */
const durable = { fsync: "on", full_page_writes: "on" }

const subject = <E, R>(layer: Parameters<typeof portOf<E, R>>[0]) =>
  Effect.map(portOf(layer), (port): Subject => ({ port, cpu: Effect.sync(cpuMicros) }))

const notes = Layer.effectDiscard(Effect.gen(function*() {
  const sql = yield* PgClient.PgClient
  yield* sql`create table notes (id bigint generated always as identity primary key, title text not null, text text not null)`
  yield* sql`insert into notes (title, text) values ('Groceries', ${"x".repeat(180)})`
}))

const database = notes.pipe(
  Layer.provideMerge(Database.layer({ client: { maxConnections: connections }, settings: durable }))
)

const throughput = (name: string, title: string, ours: Figure, peer: Figure): ReadonlyArray<Row> => [
  {
    name: `${name}, ${title}`,
    ours: rate(ours),
    peers: { "bare HttpRouter": rate(peer) },
    ratio: ours.perSecond / peer.perSecond,
    goal: ">= 0.85",
    met: ours.perSecond / peer.perSecond >= 0.85
  },
  {
    name: "  p99",
    ours: time(ours.p99),
    peers: { "bare HttpRouter": time(peer.p99) },
    ratio: ours.p99 / peer.p99,
    goal: "<= 1.25",
    met: ours.p99 / peer.p99 <= 1.25
  }
]

export const rows = (load: Process) =>
  Effect.gen(function*() {
    const servers = {
      bare: yield* subject(bare(withDatabase)),
      stack: yield* subject(served({})(withDatabase)),
      full: yield* subject(served(full)(withDatabase))
    }
    const ask = (kind: Kind) => compare(load, kind, servers)
    const get = yield* ask("get")
    const post = yield* ask("post")
    if (dropped.lines === 0) return yield* Effect.die(new Error("the stack wrote no access log"))

    const logger = {
      dropped: yield* subject(logged(withDatabase, "dropped")),
      json: yield* subject(logged(withDatabase, "json"))
    }
    const empty = yield* compare(load, "empty", { ...servers, ...logger }, quick ? {} : { rounds: 7, millis: 600 })
    const added = (figure: Figure) => figure.cpu - empty.bare.cpu
    const adds = (title: string, figure: Figure): Row => ({
      name: `empty handler, ${title} adds`,
      ours: `${added(figure).toFixed(1)} us`,
      peers: {
        "HttpMiddleware.logger": `${added(empty.dropped).toFixed(1)} us`,
        "with its JSON line": `${added(empty.json).toFixed(1)} us`
      },
      ratio: added(figure) / added(empty.dropped),
      goal: "<= 5",
      met: added(figure) / added(empty.dropped) <= 5
    })
    const rows: ReadonlyArray<Row> = [
      ...throughput("GET, one row read", "stack", get.stack, get.bare),
      ...throughput("GET, one row read", "every slot", get.full, get.bare),
      ...throughput("POST, one row written", "stack", post.stack, post.bare),
      ...throughput("POST, one row written", "every slot", post.full, post.bare),
      printed({
        name: "empty handler, stack",
        ours: rate(empty.stack),
        peers: {
          "bare HttpRouter": rate(empty.bare),
          "HttpMiddleware.logger": rate(empty.dropped),
          "with its JSON line": rate(empty.json),
          "every slot": rate(empty.full)
        },
        ratio: empty.stack.perSecond / empty.bare.perSecond
      }),
      adds("stack", empty.stack),
      adds("every slot", empty.full)
    ]
    return rows
  }).pipe(Effect.scoped, Effect.provide(database))
