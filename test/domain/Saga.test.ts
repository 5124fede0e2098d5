import { MemoryStore } from "effect-lifecycle/store"
import { sagaContract } from "./sagaContract.ts"

sagaContract("MemoryStore", MemoryStore.layer)
