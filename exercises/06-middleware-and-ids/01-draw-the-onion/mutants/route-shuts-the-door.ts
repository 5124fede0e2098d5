// fails: a - thinks that what is named after the route stands inside of it
import { predictions as right } from "../solution.ts"

export const predictions = { ...right, globalLater: "B> handler <B" }
