// fails: d - decides once whether this is a failure that can heal
import { Effect, Schedule } from "effect"
import { type Call } from "../solution.ts"

export * from "../solution.ts"

export const charge = (call: Call): Call =>
  Effect.catchTag(call, "Unavailable", () =>
    Effect.sleep("100 millis").pipe(
      Effect.andThen(Effect.retry(call, { schedule: Schedule.exponential("200 millis"), times: 2 }))
    ))
