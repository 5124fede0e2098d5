// fails: b - takes onExit for what follows a success
import { predictions as right } from "../solution.ts"

export const predictions = { ...right, guarded: "A> handler" }
