// fails: a - reads two provides from left to right, as the request would
import { predictions as right } from "../solution.ts"

export const predictions = { ...right, provided: "A> B> handler <B <A" }
