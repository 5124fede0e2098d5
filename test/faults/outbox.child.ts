/**
 * A process with a worker of an outbox, for outbox.test.ts. Its arguments are the database, as JSON, and the file that it
 * publishes to: a line a message, in the order in which all such processes published.
 */
import { NodeRuntime } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted } from "effect"
import { Outbox } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import * as fs from "node:fs"
import type { Published, Where } from "./outbox.protocol.ts"
import { leaseMillis } from "./outbox.protocol.ts"

const { url, ...rest } = JSON.parse(process.argv[2] ?? "") as Where
const file = fs.openSync(process.argv[3] ?? "", "a")

const worker = Outbox.layer({
  lease: leaseMillis,
  batchSize: 12,
  concurrency: 6,
  publish: ({ attempt, id, key, payload }) =>
    Effect.suspend(() => {
      const line: Published = { id, key: key ?? "", number: Number(payload), attempt, by: process.pid }
      fs.writeSync(file, `${JSON.stringify(line)}\n`)
      // A process that is killed here has published, and has not said so.
      return Effect.sleep("10 millis")
    })
})

const client = PgClient.layer({ ...rest, ...(url === undefined ? {} : { url: Redacted.make(url) }), maxConnections: 6 })

NodeRuntime.runMain(
  Layer.launch(worker.pipe(Layer.provide(PgStore.layer({ pollEvery: "100 millis" })), Layer.provide(client)))
)
