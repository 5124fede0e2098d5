/** The same routes, bare and behind our stack: what every row of the suite compares. */
import { NodeHttpServer } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Logger, Metric, Redacted, Schema } from "effect"
import { Logs, Metrics, Spans } from "effect-lifecycle/observability"
import {
  Admission,
  Authentication,
  Compression,
  Cors,
  Idempotency,
  Negotiation,
  RateLimits,
  Scopes,
  ServerStack,
  TrustedHosts
} from "effect-lifecycle/server"
import * as NodeDecompression from "effect-lifecycle/server/NodeDecompression"
import * as NodeListener from "effect-lifecycle/server/NodeListener"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import { networkInterfaces } from "node:os"
import type { Asked } from "./load.ts"

/**
 * The machine's own address on the network, where it has one: a caller on the loopback is one of the house and gets
 * `Server-Timing` too, which no request from elsewhere pays for.
 */
export const host =
  Object.values(networkInterfaces()).flat().find((one) => one?.family === "IPv4" && !one.internal)?.address ??
    "127.0.0.1"

export const token = "token123"
const NewNote = Schema.Struct({ title: Schema.NonEmptyString, text: Schema.String })
const note = { title: "Groceries", text: "x".repeat(180) }

/** What a program that talks to an API sends. */
const headers = {
  authorization: `Bearer ${token}`,
  accept: "application/json",
  "accept-encoding": "gzip",
  "user-agent": "bench"
}

export type Kind = "empty" | "get" | "post"
export const questions: Readonly<Record<Kind, Omit<Asked, "host" | "port">>> = {
  empty: { path: "/empty", headers },
  get: { path: "/notes/1", headers },
  post: {
    method: "POST",
    path: "/notes",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify(note)
  }
}

const Params = Schema.Struct({ id: Schema.String })
const empty = HttpRouter.add("GET", "/empty", HttpServerResponse.empty())
const created = (id: string) => HttpServerResponse.jsonUnsafe({ id, ...note }, { status: 201 })

/** One row read, one row written, and nothing at all. */
export const withDatabase = Layer.mergeAll(
  empty,
  HttpRouter.add(
    "GET",
    "/notes/:id",
    Effect.gen(function*() {
      const { id } = yield* HttpRouter.schemaPathParams(Params)
      const sql = yield* PgClient.PgClient
      const [row] = yield* sql`select id::text, title, text from notes where id = ${id}`
      return row === undefined ? HttpServerResponse.empty({ status: 404 }) : HttpServerResponse.jsonUnsafe(row)
    })
  ),
  HttpRouter.add(
    "POST",
    "/notes",
    Effect.gen(function*() {
      const { text, title } = yield* HttpServerRequest.schemaBodyJson(NewNote)
      const sql = yield* PgClient.PgClient
      const [row] = yield* sql<{ id: string }>`insert into notes (title, text) values (${title}, ${text})
        returning id::text`
      return created(row?.id ?? "")
    })
  )
)

/** The same without a database, for the servers that have another driver. */
export const inMemory = Layer.mergeAll(
  empty,
  HttpRouter.add(
    "GET",
    "/notes/:id",
    Effect.map(
      HttpRouter.schemaPathParams(Params),
      ({ id }) => HttpServerResponse.jsonUnsafe({ id, ...note })
    )
  ),
  HttpRouter.add(
    "POST",
    "/notes",
    Effect.map(
      HttpServerRequest.schemaBodyJson(NewNote),
      (body) => HttpServerResponse.jsonUnsafe({ id: "1", ...body }, { status: 201 })
    )
  )
)

/** Connections are kept as long as our listener keeps them. */
const keepAliveTimeout = 75_000
const plainServer = NodeHttpServer.layer(() => createServer({ keepAliveTimeout }), { port: 0, host })

/** What was logged: a count, so that nothing is optimised away, and that a row can see that there was a log. */
export const dropped = { lines: 0 }
const drop = () => void dropped.lines++

export const bare = <E, R>(routes: Layer.Layer<never, E, R>) =>
  HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(Layer.provideMerge(plainServer))

/** Effect's own logger, in front of a sink that drops everything, or that makes its JSON line first. */
export const logged = <E, R>(routes: Layer.Layer<never, E, R>, lines: "dropped" | "json") => {
  const logger = lines === "dropped" ? Logger.make(drop) : Logger.map(Logger.formatJson, drop)
  return HttpRouter.serve(routes, { disableListenLog: true }).pipe(
    Layer.provideMerge(plainServer),
    Layer.provide(Logger.layer([logger]))
  )
}

export const telemetry = {
  logs: Logs.layer({ service: "notes", sink: drop }),
  metrics: Metrics.layer,
  spans: Spans.layer
}
const observed = Layer.mergeAll(telemetry.logs, telemetry.metrics, telemetry.spans)

const generous = [{ name: "burst", limit: 1_000_000_000, window: "1 minute" }] as const

/** Every slot that is empty by default, as a service on the internet would fill it. */
export const edge = {
  compression: Compression.stage(),
  cors: Cors.stage({ origins: ["https://app.example.com"], credentials: true }),
  admission: Admission.stage({ permits: 1000, queue: 1000, maxWait: "1 second" }),
  limitByAddress: RateLimits.byAddress({ policies: generous }),
  scopes: Scopes.stage({
    routes: { "GET /empty": ["notes.read"], "GET /notes/:id": ["notes.read"], "POST /notes": ["notes.write"] }
  }),
  limitByUser: RateLimits.byUser({ policies: generous }),
  negotiation: Negotiation.stage({
    offers: { "GET /notes/:id": ["application/json", "text/csv"], "POST /notes": ["application/json"] }
  }),
  decompression: NodeDecompression.stage({ maximum: "1 MiB" }),
  idempotency: Idempotency.stage({ required: () => false })
}
export const full = {
  ...edge,
  trustedHosts: TrustedHosts.stage({ hosts: [host, "127.0.0.1", "*.example.com"] })
}

/** The slot cannot be filled without a store, though no route that is asked uses one. */
const records = Layer.succeed(Idempotency.IdempotencyRecords, {
  claim: () => Effect.die("nobody asks"),
  complete: () => Effect.die("nobody asks"),
  release: () => Effect.die("nobody asks")
})

type Options = Omit<ServerStack.Options, "service">

/** The services that stages of any slot ask for. */
export const served =
  (options: Options, listener: "ours" | "plain" = "ours", watched: Layer.Layer<never> = observed) =>
  <E, R>(routes: Layer.Layer<never, E, R>) =>
    ServerStack.serve(routes, { service: "notes", ...options } as typeof full & { readonly service: string }).pipe(
      Layer.provide([
        Authentication.layerTokens(Redacted.make(`${token}:alice:notes.read+notes.write`)),
        RateLimits.layerMemory(),
        records
      ]),
      Layer.provideMerge(
        listener === "ours" ? Layer.orDie(NodeListener.layer({ port: 0, host })) : Layer.orDie(plainServer)
      ),
      Layer.provide([watched, Layer.succeed(Metric.MetricRegistry, new Map())])
    )
