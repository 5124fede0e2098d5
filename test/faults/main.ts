/**
 * `npm run faults -- ordering [EVENTS]`: exits with 1 when one of our readers missed, repeated or reordered an event.
 * `npm run faults -- kill [ROUNDS]`: exits with 1 when an append or an effect was lost, doubled or torn.
 * `npm run faults -- hostile [REQUESTS [SEED]]`: exits with 1 when a request crashed, hung or fooled gateway or server.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import * as PgStore from "effect-lifecycle/store/pg"
import { Database } from "effect-lifecycle/testing"
import { hostile, type Options, table } from "./hostile.ts"
import * as door from "./hostileDoor.ts"
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

const attack = (requests: number) =>
  Effect.gen(function*() {
    const outcome = yield* door.attack({ requests, seed: Number(seed ?? Math.floor(Math.random() * 1_000_000)) })
    process.stdout.write(door.told(outcome))
    const wrongs = door.wrongs(outcome)
    if (wrongs.length === 0) return
    process.stdout.write(`${wrongs.join("\n")}\n`)
    process.exitCode = 1
  }).pipe(Effect.scoped)

const [name = "", count, seed] = process.argv.slice(2)
const runs = new Map<string, { readonly usual: string; readonly run: (count: number) => Effect.Effect<void, unknown> }>(
  [
    ["hostile", { usual: "20000", run: attack }],
    ["ordering", { usual: "100000", run: ordering }],
    ["kill", { usual: "20", run: kill }]
  ]
)
const asked = runs.get(name)
const size = count ?? asked?.usual ?? ""

if (asked === undefined || !/^[1-9][0-9]*$/.test(size)) {
  process.stderr.write("usage: npm run faults -- ordering [EVENTS] | kill [ROUNDS] | hostile [REQUESTS [SEED]]\n")
  process.exitCode = 2
} else NodeRuntime.runMain(asked.run(Number(size)))
