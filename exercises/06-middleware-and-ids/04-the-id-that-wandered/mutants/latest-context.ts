// fails: d - keeps the context for the callback in one place, where the next request puts its own
import { Context, Effect } from "effect"
import { bank } from "../shop.ts"
import { log } from "../solution.ts"

export { confirm, log, request } from "../solution.ts"

let latest = Context.empty()

export const charge: Effect.Effect<string> = Effect.contextWith((context: Context.Context<never>) =>
  Effect.promise(() => {
    latest = context
    return bank.charge(() => Effect.runPromiseWith(latest)(log("charged")))
  })
)
