/**
 * What each stage costs: requests over a pipe in this process, so that no kernel and no other process has a part in it, and
 * the time that one of them takes. Nothing waits, so that is processor time, by a finer clock. A stage that the stack has
 * is replaced by one that passes through, and what that saves is its cost; a stage whose slot is empty is added alone.
 * Medians of rounds in turns.
 */
import { Effect, Layer } from "effect"
import { ServerStage } from "effect-lifecycle/server"
import type { HttpServer } from "effect/http"
import { subscribe, unsubscribe } from "node:diagnostics_channel"
import { get, type Server } from "node:http"
import { duplexPair } from "node:stream"
import { interleaved, median, type Row } from "../Suite.ts"
import { bare, edge, full, host, inMemory, questions, served, telemetry } from "./app.ts"
import { portOf, printed, quick } from "./measure.ts"

const requests = quick ? 300 : 1000
const rounds = quick ? 1 : 17

const pass = {
  outer: ServerStage.outer({ name: "pass", reports: "Middleware", wrap: (next) => next }),
  route: ServerStage.none("pass", "Middleware")
}
const aroundRouter = [
  "trustedProxies",
  "requestIds",
  "traceContext",
  "accessLog",
  "serverTiming",
  "problems",
  "securityHeaders",
  "trustedHosts",
  "methods"
] as const
const aroundRoutes = ["deadlines", "authentication", "contentTypes", "bodyLimits", "conditional"] as const
const nothing = {
  ...Object.fromEntries(aroundRouter.map((slot) => [slot, pass.outer])),
  ...Object.fromEntries(aroundRoutes.map((slot) => [slot, pass.route]))
}
const observing = ["logs", "metrics", "spans"] as const
const watchedBy = (names: ReadonlyArray<typeof observing[number]>) =>
  names.reduce<Layer.Layer<never>>((all, name) => Layer.merge(all, telemetry[name]), Layer.empty)

/** Node's server behind a port: it tells a channel of diagnostics which of its servers has begun with a request. */
const nodeServer = (port: number): Effect.Effect<Server> =>
  Effect.callback((resume) => {
    const channel = "http.server.request.start"
    const heard = (message: unknown) => {
      unsubscribe(channel, heard)
      resume(Effect.succeed((message as { readonly server: Server }).server))
    }
    subscribe(channel, heard)
    get({ host, port, path: questions.empty.path, agent: false }, (response) => response.resume())
  })

/** A connection without a network, and the time of one request over it in microseconds. */
const overPipe = (server: Server): Effect.Effect<number> =>
  Effect.callback((resume) => {
    const [client, inside] = duplexPair()
    server.emit("connection", Object.assign(inside, { remoteAddress: host }))
    const { headers, path } = questions.empty
    const lines = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}`)
    const bytes = [`GET ${path} HTTP/1.1`, ...lines, "", ""].join("\r\n")
    let left = requests
    const started = performance.now()
    client.setEncoding("latin1").on("data", (text: string) => {
      // An answer without a body comes in one piece.
      if (!text.startsWith("HTTP/1.1 204 ") || !text.endsWith("\r\n\r\n")) {
        client.destroy()
        return resume(Effect.die(new Error(`not the answer that was expected: ${text}`)))
      }
      if (--left > 0) return void client.write(bytes)
      const millis = performance.now() - started
      client.destroy()
      resume(Effect.succeed(millis * 1000 / requests))
    })
    client.write(bytes)
  })

const measured = <E, R>(layer: Layer.Layer<HttpServer.HttpServer, E, R>) =>
  Effect.map(Effect.flatMap(portOf(layer), nodeServer), overPipe)

export const rows = Effect.gen(function*() {
  // Every server's layer of Node services listens to standard input, and there are thirty of them.
  process.stdin.setMaxListeners(100)
  const stack = served({})
  const variants: Record<string, Effect.Effect<number>> = {
    bare: yield* measured(bare(inMemory)),
    stack: yield* measured(stack(inMemory)),
    full: yield* measured(served(full)(inMemory)),
    nothing: yield* measured(served(nothing, "plain", Layer.empty)(inMemory)),
    "without NodeListener": yield* measured(served({}, "plain")(inMemory))
  }
  for (const slot of aroundRouter) {
    variants[`without ${slot}`] = yield* measured(served({ [slot]: pass.outer })(inMemory))
  }
  for (const slot of aroundRoutes) {
    variants[`without ${slot}`] = yield* measured(served({ [slot]: pass.route })(inMemory))
  }
  for (const name of observing) {
    const others = watchedBy(observing.filter((other) => other !== name))
    variants[`without ${name}`] = yield* measured(served({}, "ours", others)(inMemory))
  }
  for (const [slot, stage] of Object.entries(edge)) {
    variants[`with ${slot}`] = yield* measured(served({ [slot]: stage })(inMemory))
  }
  const figures = yield* interleaved(variants, rounds)
  const of = (name: string) => median(figures[name] ?? [])
  const base = of("bare")
  const all = of("stack")
  /** Of each round on its own, so that a round on a busy machine counts for both alike. */
  const between = (more: string, less: string) =>
    median((figures[more] ?? []).map((figure, round) => figure - (figures[less]?.[round] ?? 0)))
  const row = (name: string, cost: number, peers: Row["peers"]): Row =>
    printed({ name, ours: `${cost.toFixed(1)} us`, peers, ratio: cost / (all - base) })
  const rows: ReadonlyArray<Row> = [
    row("a request by stages, ratio: of what the stack adds", all, {
      "bare HttpRouter": `${base.toFixed(1)} us`,
      "every slot": `${of("full").toFixed(1)} us`
    }),
    row("  the stack itself, all stages pass", between("nothing", "bare"), {}),
    ...Object.keys(variants).flatMap((name) => {
      const [how, what] = name.split(" ")
      if (what === undefined) return []
      return how === "without"
        ? [row(`  ${what}`, between("stack", name), {})]
        : [row(`  ${what}, added alone`, between(name, "stack"), {})]
    })
  ]
  return rows
}).pipe(Effect.scoped)
