import { Layer } from "effect"
import * as PgStore from "effect-lifecycle/store/pg"
import { pgTest } from "../postgres.ts"
import { sagaContract } from "./sagaContract.ts"
import { sagaDoubtContract } from "./sagaDoubtContract.ts"
import { sagaParkedContract } from "./sagaParkedContract.ts"
import { sagaUndoContract } from "./sagaUndoContract.ts"

const stores = PgStore.layer().pipe(Layer.provideMerge(pgTest({ client: { maxConnections: 20 } })))

sagaContract("PgStore", stores)
sagaUndoContract("PgStore", stores)
sagaDoubtContract("PgStore", stores)
sagaParkedContract("PgStore", stores)
