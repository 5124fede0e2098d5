import { MemoryStore } from "effect-lifecycle/store"
import { outboxContract } from "./outboxContract.ts"

outboxContract("MemoryStore", MemoryStore.layer)
