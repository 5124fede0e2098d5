// fails: b - waits the same time again and again
import { Effect, Schedule } from "effect"
import { type Call } from "../solution.ts"

export * from "../solution.ts"

export const charge = (call: Call): Call =>
  Effect.retry(call, {
    schedule: Schedule.spaced("100 millis"),
    times: 3,
    while: (error) => error._tag === "Unavailable"
  })
