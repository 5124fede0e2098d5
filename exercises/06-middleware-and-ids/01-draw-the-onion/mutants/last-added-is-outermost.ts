// fails: a - the rule of Starlette: what was added last is outermost
import { predictions as right } from "../solution.ts"

export const predictions = { ...right, global: "B> A> handler <A <B", globalLater: "A> B> handler <B <A" }
