import { MemoryStore } from "effect-lifecycle/store"
import { sagaContract } from "./sagaContract.ts"
import { sagaDoubtContract } from "./sagaDoubtContract.ts"
import { sagaParkedContract } from "./sagaParkedContract.ts"
import { sagaUndoContract } from "./sagaUndoContract.ts"

sagaContract("MemoryStore", MemoryStore.layer)
sagaUndoContract("MemoryStore", MemoryStore.layer)
sagaDoubtContract("MemoryStore", MemoryStore.layer)
sagaParkedContract("MemoryStore", MemoryStore.layer)
