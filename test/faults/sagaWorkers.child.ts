/**
 * A process with a worker of sagas, for sagaWorkers.test.ts. Its arguments are the database, as JSON, and the file that it
 * writes what it does to, a line each, in the order in which all such processes did.
 */
import { NodeRuntime } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted } from "effect"
import { Saga } from "effect-lifecycle/domain"
import * as PgStore from "effect-lifecycle/store/pg"
import * as fs from "node:fs"
import type { Where } from "./outbox.protocol.ts"
import { definition, leaseMillis, type Line } from "./sagaWorkers.protocol.ts"

const { url, ...rest } = JSON.parse(process.argv[2] ?? "") as Where
const file = fs.openSync(process.argv[3] ?? "", "a")
const write = (key: string, phase: Line["phase"]) =>
  Effect.sync(() => {
    const line: Line = { key, phase, by: process.pid }
    fs.writeSync(file, `${JSON.stringify(line)}\n`)
  })

const act = (key: string) =>
  write(key, "begin").pipe(
    Effect.andThen(Effect.sleep("3 millis")),
    Effect.andThen(write(key, "effect")),
    // A process that is killed here has had its effect, and has not said so.
    Effect.andThen(Effect.sleep("3 millis"))
  )

const client = PgClient.layer({ ...rest, ...(url === undefined ? {} : { url: Redacted.make(url) }), maxConnections: 6 })

NodeRuntime.runMain(Layer.launch(
  Saga.layer([definition(act)], { lease: leaseMillis, concurrency: 6, attempts: 100 }).pipe(
    Layer.provide(PgStore.layer({ pollEvery: "100 millis" })),
    Layer.provide(client)
  )
))
