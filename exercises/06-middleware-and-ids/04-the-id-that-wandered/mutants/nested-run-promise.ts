// fails: d - the rest travels with the fiber, and Effect.runPromise in the callback begins with nothing
import { Effect } from "effect"
import { bank } from "../shop.ts"
import { log } from "../solution.ts"

export { confirm, log, request } from "../solution.ts"

export const charge: Effect.Effect<string> = Effect.promise(() => bank.charge(() => Effect.runPromise(log("charged"))))
