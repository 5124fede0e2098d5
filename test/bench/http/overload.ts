/**
 * Three times the load that a service can take. What limits it is a pool of connections to the database and queries that take
 * their time; a fifth of the requests is urgent, so the urgent ones alone would fit. Beside it the same without `Admission`:
 * everybody waits for the pool until the deadline, and the pool works for callers that have given up.
 */
import { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import { Admission, Deadlines } from "effect-lifecycle/server"
import { Database } from "effect-lifecycle/testing"
import { HttpRouter, HttpServerResponse } from "effect/http"
import type { Row } from "../Suite.ts"
import { host, questions, served } from "./app.ts"
import type { Closed, Open, Outcome } from "./load.ts"
import { portOf, quick, time, whole } from "./measure.ts"
import type { Process } from "./processes.ts"

const pool = 8
const queryMillis = 20
const deadlineMillis = 500
const factor = 3
const urgentShare = 0.2
const millis = quick ? 1000 : 6000

const slow = HttpRouter.add(
  "GET",
  "/notes/:id",
  Effect.gen(function*() {
    const sql = yield* PgClient.PgClient
    yield* sql`select pg_sleep(${queryMillis / 1000})`
    return HttpServerResponse.jsonUnsafe({ id: "1" })
  })
)

const deadlines = Deadlines.stage({ default: deadlineMillis })
// The queue is emptied in a fifth of the deadline: whoever is let in has time for the work itself.
const queue = Math.floor((0.2 * deadlineMillis * pool) / queryMillis)
const admission = Admission.stage({ permits: pool, queue })

const refused = ({ statuses }: Outcome) => statuses[503] ?? 0
const good = ({ statuses }: Outcome) => statuses[200] ?? 0
const share = (part: number, all: number) => `${((100 * part) / all).toFixed(1)} %`

export const rows = (load: Process) =>
  Effect.gen(function*() {
    const ports = {
      guarded: yield* portOf(served({ deadlines, admission })(slow)),
      open: yield* portOf(served({ deadlines })(slow))
    }
    const closed = (port: number): Closed => ({ ...questions.get, host, port, connections: pool, millis: millis / 2 })
    const flood = (port: number, perSecond: number): Open => {
      const kind = (priority: string, share: number) => ({
        ...questions.get,
        headers: { ...questions.get.headers, "x-request-priority": priority },
        host,
        port,
        share
      })
      return { perSecond, millis, mix: [kind("high", urgentShare), kind("low", 1 - urgentShare)] }
    }
    yield* load.ask<Outcome>("closed", closed(ports.guarded))
    const { perSecond: peak } = yield* load.ask<Outcome>("closed", closed(ports.guarded))
    const overload = Effect.fnUntraced(function*(port: number) {
      const outcomes = yield* load.ask<ReadonlyArray<Outcome>>("open", flood(port, factor * peak))
      const [high, low] = outcomes
      if (high === undefined || low === undefined) return yield* Effect.die(new Error("no outcome"))
      const goodput = (good(high) + good(low)) / (millis / 1000)
      return { high, low, goodput, p99: Math.max(high.p99, low.p99) }
    })
    const guarded = yield* overload(ports.guarded)
    const open = yield* overload(ports.open)
    const answeredShare = (outcome: Outcome) => good(outcome) / outcome.requests
    const rows: ReadonlyArray<Row> = [
      {
        name: `overload, ${factor} x ${whole(peak)} req/s: goodput`,
        ours: `${whole(guarded.goodput)} req/s`,
        peers: { "peak of the same": `${whole(peak)} req/s`, "without Admission": `${whole(open.goodput)} req/s` },
        ratio: guarded.goodput / peak,
        goal: ">= 0.8",
        met: guarded.goodput / peak >= 0.8
      },
      {
        name: "  p99 of what was let in",
        ours: time(guarded.p99),
        peers: { deadline: time(deadlineMillis), "without Admission": time(open.p99) },
        ratio: guarded.p99 / deadlineMillis,
        goal: "<= 1",
        met: guarded.p99 <= deadlineMillis
      },
      {
        name: "  urgent requests answered",
        ours: share(good(guarded.high), guarded.high.requests),
        peers: {
          "the others": share(good(guarded.low), guarded.low.requests),
          "urgent without Admission": share(good(open.high), open.high.requests)
        },
        ratio: answeredShare(guarded.high) / Math.max(answeredShare(guarded.low), 1e-9),
        goal: ">= 99 %",
        met: answeredShare(guarded.high) >= 0.99
      },
      {
        name: "  refused at once by 503",
        ours: share(refused(guarded.low), guarded.low.requests),
        peers: { "of the urgent ones": share(refused(guarded.high), guarded.high.requests) },
        ratio: refused(guarded.low) / guarded.low.requests,
        goal: "printed",
        met: true
      }
    ]
    return rows
  }).pipe(Effect.scoped, Effect.provide(Database.layer({ client: { maxConnections: pool } })))
