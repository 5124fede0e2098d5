// fails: c - sends the mail with Effect.runFork, which begins with an empty context
import { Effect } from "effect"
import { log } from "../solution.ts"

export { charge, log, request } from "../solution.ts"

export const confirm: Effect.Effect<unknown> = Effect.sync(() =>
  Effect.runFork(Effect.andThen(Effect.sleep("20 millis"), log("mailed")))
)
