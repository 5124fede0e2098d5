/** One runner of a cluster, until it is killed or ended. Its one argument says where it listens and where the database is. */
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer, Logger } from "effect"
import { runner, type Told } from "./cluster.runner.ts"

const told: Told = JSON.parse(process.argv[2] ?? "")
const ready = Layer.effectDiscard(Effect.sync(() => process.stdout.write("ready\n")))

NodeRuntime.runMain(
  Layer.launch(ready.pipe(Layer.provideMerge(runner(told)), Layer.provide(Logger.layer([])))),
  { disableErrorReporting: false }
)
