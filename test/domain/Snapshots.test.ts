import { Layer } from "effect"
import { MemoryStore } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { pgTest } from "../postgres.ts"
import { personalSnapshotContract, snapshotContract } from "./snapshotContract.ts"

const Pg = PgStore.layer().pipe(Layer.provideMerge(pgTest({ client: { maxConnections: 20 } })))

snapshotContract("an aggregate in memory", MemoryStore.layer)
snapshotContract("an aggregate on PostgreSQL", Pg)
personalSnapshotContract("people in memory", MemoryStore.layer)
personalSnapshotContract("people on PostgreSQL", Pg)
