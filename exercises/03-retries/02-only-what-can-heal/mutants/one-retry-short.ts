// fails: b - counts the first attempt as a retry
import { Effect, Schedule } from "effect"
import { type Call } from "../solution.ts"

export * from "../solution.ts"

export const charge = (call: Call): Call =>
  Effect.retry(call, {
    schedule: Schedule.exponential("100 millis"),
    times: 2,
    while: (error) => error._tag === "Unavailable"
  })
