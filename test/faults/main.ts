/**
 * `npm run faults -- ordering [EVENTS]`: exits with 1 when one of our readers missed, repeated or reordered an event.
 * `npm run faults -- kill [ROUNDS]`: exits with 1 when an append or an effect was lost, doubled or torn.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import * as PgStore from "effect-lifecycle/store/pg"
import { Database } from "effect-lifecycle/testing"
import { hostile, type Options, table } from "./hostile.ts"
import { isClean, killServer, killWriter, told } from "./kill.ts"

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

const kill = (rounds: number) =>
  Effect.gen(function*() {
    for (const [name, run] of [["server", killServer], ["writer", killWriter]] as const) {
      const outcome = yield* Effect.scoped(run(rounds))
      process.stdout.write(told(name, outcome))
      if (!isClean(outcome)) {
        const { effects, faults, lost, torn } = outcome
        process.stdout.write(`${JSON.stringify({ effects, faults, lost, torn }, null, 2)}\n`)
        process.exitCode = 1
      }
    }
  })

const [name = "", count] = process.argv.slice(2)
const runs = new Map<string, { readonly usual: string; readonly run: (count: number) => Effect.Effect<void, unknown> }>(
  [
    ["ordering", { usual: "100000", run: ordering }],
    ["kill", { usual: "20", run: kill }]
  ]
)
const asked = runs.get(name)
const size = count ?? asked?.usual ?? ""

if (asked === undefined || !/^[1-9][0-9]*$/.test(size)) {
  process.stderr.write("usage: npm run faults -- ordering [EVENTS] | kill [ROUNDS]\n")
  process.exitCode = 2
} else NodeRuntime.runMain(asked.run(Number(size)))
