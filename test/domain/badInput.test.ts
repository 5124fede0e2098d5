import { MemoryStore } from "effect-lifecycle/store"
import { badInputContract } from "./badInputContract.ts"

badInputContract("MemoryStore", MemoryStore.layer)
