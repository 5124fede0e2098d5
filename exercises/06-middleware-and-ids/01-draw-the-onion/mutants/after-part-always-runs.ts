// fails: b - thinks that what stands after next runs whatever next does
import { predictions as right } from "../solution.ts"

export const predictions = { ...right, failing: "A> handler <A" }
