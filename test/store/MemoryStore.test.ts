import { MemoryStore } from "effect-lifecycle/store"
import { storeContract } from "./contract.ts"

storeContract("MemoryStore", MemoryStore.layer)
