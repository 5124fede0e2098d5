// fails: d - keeps the first error, because that is where it began
import { Effect, Schedule } from "effect"
import { type Call } from "../solution.ts"

export * from "../solution.ts"

export const charge = (call: Call): Call =>
  Effect.catchTag(call, "Unavailable", (first) =>
    Effect.sleep("100 millis").pipe(
      Effect.andThen(Effect.retry(call, {
        schedule: Schedule.exponential("200 millis"),
        times: 2,
        while: (error) => error._tag === "Unavailable"
      })),
      Effect.mapError((error) => error._tag === "Unavailable" ? first : error)
    ))
