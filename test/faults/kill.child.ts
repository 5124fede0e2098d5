/** The process that writes and follows until it is killed. Its one argument says where, and what it is called. */
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import * as PgStore from "effect-lifecycle/store/pg"
import * as Database from "effect-lifecycle/testing/Database"
import * as fs from "node:fs"
import { append, follow, type Told } from "./kill.callers.ts"

const told: Told = JSON.parse(process.argv[2] ?? "")
const store = PgStore.layer({ pollEvery: "50 millis" }).pipe(
  Layer.provideMerge(
    Database.layerAt({ path: told.path, username: "postgres", database: "postgres" }, {
      name: told.database,
      client: { maxConnections: 10 }
    })
  )
)
// A write that has returned is there, whatever happens to the process.
const file = fs.openSync(told.file, "a")

NodeRuntime.runMain(
  Effect.raceFirst(
    follow,
    append(told.prefix, (answer) => fs.writeSync(file, `${JSON.stringify(answer)}\n`), { now: false, cut: 0 })
  ).pipe(Effect.provide(store))
)
