import { Layer } from "effect"
import * as PgStore from "effect-lifecycle/store/pg"
import { pgTest } from "../postgres.ts"
import { sagaContract } from "./sagaContract.ts"

sagaContract("PgStore", PgStore.layer().pipe(Layer.provideMerge(pgTest({ client: { maxConnections: 20 } }))))
