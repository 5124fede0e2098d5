// fails: c - thinks that work which outlives the request must not carry anything of it
import { Effect } from "effect"
import { log } from "../solution.ts"

export { charge, log, request } from "../solution.ts"

export const confirm: Effect.Effect<unknown> = Effect.sleep("20 millis").pipe(
  Effect.andThen(Effect.annotateLogs(log("mailed"), { requestId: undefined })),
  Effect.forkDetach
)
