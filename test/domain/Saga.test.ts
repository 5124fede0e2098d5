import { MemoryStore } from "effect-lifecycle/store"
import { sagaContract } from "./sagaContract.ts"
import { sagaParkedContract } from "./sagaParkedContract.ts"

sagaContract("MemoryStore", MemoryStore.layer)
sagaParkedContract("MemoryStore", MemoryStore.layer)
