/** `npm run faults -- ordering [EVENTS]`: exits with 1 when one of our readers missed, repeated or reordered an event. */
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import * as PgStore from "effect-lifecycle/store/pg"
import { Database } from "effect-lifecycle/testing"
import { hostile, type Options, table } from "./hostile.ts"

const ordering = (events: number) => {
  const options: Options = { writers: 16, streams: 12, events, stallMillis: 4000 }
  const client = { maxConnections: options.writers + 20 }
  const store = PgStore.layer().pipe(Layer.provideMerge(Database.layerOn({ client })))
  return Effect.gen(function*() {
    const server = Layer.succeed(Database.Server, yield* Database.Server)
    const run = yield* hostile(options, Layer.provide(Database.layerOn(), server))
    process.stdout.write(table(run, options))
    const { partitioned, stream, subscription } = run.found
    const clean = [stream, subscription, partitioned].every((ours) =>
      ours.missed + ours.invented + ours.duplicated + ours.inversions === 0 && ours.duringStall > 0
    )
    if (!clean || run.stored !== run.committed) process.exitCode = 1
  }).pipe(Effect.scoped, Effect.provide(Layer.provideMerge(store, Database.layerServer())))
}

const [name, events = "100000"] = process.argv.slice(2)

if (name !== "ordering" || !/^[1-9][0-9]*$/.test(events)) {
  process.stderr.write("usage: npm run faults -- ordering [EVENTS]\n")
  process.exitCode = 2
} else NodeRuntime.runMain(ordering(Number(events)))
