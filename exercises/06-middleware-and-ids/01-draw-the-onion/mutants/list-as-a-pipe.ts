// fails: a - takes a list for two provides, one after the other
import { predictions as right } from "../solution.ts"

export const predictions = { ...right, listed: "B> A> handler <A <B" }
