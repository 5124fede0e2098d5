import { Layer } from "effect"
import * as PgStore from "effect-lifecycle/store/pg"
import { pgTest } from "../postgres.ts"
import { projectionContract } from "./projectionContract.ts"

projectionContract("PgStore", PgStore.layer().pipe(Layer.provide(pgTest({ client: { maxConnections: 40 } }))))
