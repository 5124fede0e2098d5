/**
 * A process that owns its share of a projection until it is killed. Its one argument says where the database is. It says
 * when it is ready, and begins when it is told to.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Projection from "effect-lifecycle/store/Projection"
import * as PgStore from "effect-lifecycle/store/pg"
import * as Database from "effect-lifecycle/testing/Database"
import { counted, options, type Told } from "./projectionOwners.projection.ts"

const told: Told = JSON.parse(process.argv[2] ?? "")
const store = PgStore.layer({ pollEvery: "50 millis" }).pipe(
  Layer.provide(Database.layerAt(told.address, { name: told.database, client: { maxConnections: 8 } }))
)

NodeRuntime.runMain(
  Effect.gen(function*() {
    const projections = yield* Projection.Projections
    process.stdout.write("ready\n")
    yield* Effect.callback<void>((resume) => {
      process.stdin.once("data", () => resume(Effect.void))
    })
    return yield* projections.run(counted, options)
  }).pipe(Effect.provide(store))
)
