/** A process that runs one saga of three steps, of which the last one fails, and kills itself where it is told to. */
import { NodeCrypto, NodeRuntime } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Cause, Effect, Layer, Redacted, Schedule, Schema } from "effect"
import { ClusterWorkflowEngine, SingleRunner } from "effect/cluster"
import { Activity, Workflow } from "effect/workflow"
import { Saga } from "effect-lifecycle/domain"
import * as PgStore from "effect-lifecycle/store/pg"
import * as fs from "node:fs"
import { leaseMillis, type Point, type Task } from "./sagaCrash.protocol.ts"

const { crash, engine, file, variant, where: { url, ...rest } } = JSON.parse(process.argv[2] ?? "") as Task
const output = fs.openSync(file, "a")

const reach = (point: Point) =>
  Effect.sync(() => {
    if (point === crash) process.kill(process.pid, "SIGKILL")
  })
const effect = (name: "a" | "b" | "undo-a" | "undo-b") =>
  reach(`before:${name}`).pipe(
    Effect.andThen(Effect.sync(() => void fs.writeSync(output, `${name}\n`))),
    Effect.andThen(reach(`after:${name}`))
  )
const b = variant === "renamed" ? "b2" : "b"
const undoB = variant === "stuck" ? Effect.fail("stuck") : effect("undo-b")
const say = (line: string) => Effect.sync(() => void fs.writeSync(output, `= ${line}\n`))

const Trip = Saga.make({
  name: "Trip",
  input: Schema.String,
  error: Schema.String,
  compensationRetry: Schedule.recurs(0)
})
  .step("a", { inDoubt: "repeat", run: () => effect("a"), compensate: () => effect("undo-a") })
  .step(b, { inDoubt: "repeat", run: () => effect("b"), compensate: () => undoB })
  .step("c", { inDoubt: "repeat", run: () => Effect.andThen(reach("before:c"), Effect.fail("no")) })

const saga = Effect.flatMap(
  Saga.run(Trip, { id: "1", input: "x" }),
  (outcome) => say(outcome._tag === "Parked" ? `${outcome._tag} ${outcome.reason}` : outcome._tag)
).pipe(
  Effect.provide(
    Saga.layer([Trip], { lease: leaseMillis }).pipe(
      Layer.provideMerge(PgStore.layer({ pollEvery: "100 millis" }))
    )
  )
)

const TripWorkflow = Workflow.make("Trip", {
  payload: { id: Schema.String },
  error: Schema.String,
  idempotencyKey: ({ id }) => id
})
const activity = <E = never>(name: string, execute: Effect.Effect<void, E>) =>
  Activity.make({ name, execute: Effect.orDie(execute) })
const TripLive = TripWorkflow.toLayer(Effect.fn(function*() {
  yield* TripWorkflow.withCompensation(activity("a", effect("a")), () => activity("undo-a", effect("undo-a")))
  yield* TripWorkflow.withCompensation(activity(b, effect("b")), () => activity("undo-b", undoB))
  yield* Activity.make({
    name: "c",
    error: Schema.String,
    execute: Effect.andThen(reach("before:c"), Effect.fail("no"))
  })
}))
const workflow = Effect.flatMap(
  Effect.exit(TripWorkflow.execute({ id: "1" })),
  (exit) => say(exit._tag === "Success" ? "Success" : `Failure ${Cause.pretty(exit.cause).split("\n")[0]}`)
).pipe(
  Effect.provide(TripLive.pipe(
    Layer.provideMerge(ClusterWorkflowEngine.layer),
    Layer.provideMerge(SingleRunner.layer({
      shardingConfig: { shardLockExpiration: leaseMillis, shardLockRefreshInterval: leaseMillis / 4 }
    }))
  ))
)

const client = PgClient.layer({ ...rest, ...(url === undefined ? {} : { url: Redacted.make(url) }), maxConnections: 6 })

const live = Layer.merge(client, NodeCrypto.layer)
if (engine === "saga") NodeRuntime.runMain(Effect.provide(saga, live))
else NodeRuntime.runMain(Effect.provide(Effect.timeout(workflow, "60 seconds"), live))
