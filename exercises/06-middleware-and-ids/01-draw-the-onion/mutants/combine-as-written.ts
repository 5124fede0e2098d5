// fails: a - reads combine from left to right
import { predictions as right } from "../solution.ts"

export const predictions = { ...right, combined: "A> B> handler <B <A" }
