/** The stack beside Fastify and Hono with the plugins that come nearest, and beside the three of them bare. */
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { Row } from "../Suite.ts"
import type { Kind } from "./app.ts"
import { compare, machinery, printed, quick, rate, started, time } from "./measure.ts"
import type { Process } from "./processes.ts"

const path = fileURLToPath(new URL("../peers", import.meta.url))

const installed = Effect.callback<void>((resume) => {
  if (existsSync(`${path}/node_modules/fastify`)) return resume(Effect.void)
  execFile("npm", ["ci", "--prefix", path], (error) => resume(error === null ? Effect.void : Effect.die(error)))
})

const titles = {
  "fastify-full": "Fastify 5.12.8",
  "hono-full": "Hono 4.13.19",
  full: "ours, every slot",
  bare: "bare HttpRouter",
  fastify: "bare Fastify",
  hono: "bare Hono"
} as const
type Peer = keyof typeof titles

export const rows = (load: Process) =>
  Effect.gen(function*() {
    yield* installed
    const ours = (name: string) => started(machinery.subject, name)
    const theirs = (name: string) => started(machinery.peer, name)
    const servers = {
      stack: yield* ours("stack"),
      "fastify-full": yield* theirs("fastify-full"),
      "hono-full": yield* theirs("hono-full"),
      full: yield* ours("full"),
      bare: yield* ours("bare"),
      fastify: yield* theirs("fastify"),
      hono: yield* theirs("hono")
    }
    const rows: Array<Row> = []
    for (const [kind, title] of [["get", "GET"], ["post", "POST with a body"]] as ReadonlyArray<[Kind, string]>) {
      const figures = yield* compare(load, kind, servers, quick ? {} : { millis: 600 })
      const names = Object.keys(titles) as ReadonlyArray<Peer>
      const first = figures["fastify-full"]
      const shown = (show: (name: Peer) => string) =>
        Object.fromEntries(names.map((name) => [titles[name], show(name)]))
      rows.push(
        printed({
          name: `${title}, stack beside frameworks`,
          ours: rate(figures.stack),
          peers: shown((name) => rate(figures[name])),
          ratio: figures.stack.perSecond / first.perSecond
        }),
        printed({
          name: "  p99",
          ours: time(figures.stack.p99),
          peers: shown((name) => time(figures[name].p99)),
          ratio: figures.stack.p99 / first.p99
        })
      )
    }
    for (const name of ["stack", "full", "fastify-full", "hono-full"] as const) {
      if ((yield* servers[name].process.ask<number>("lines")) === 0) {
        return yield* Effect.die(new Error(`${name} wrote no access log`))
      }
    }
    return rows
  }).pipe(Effect.scoped)
