// fails: b - waits on the machine's timer, which the Clock knows nothing of
import { Effect } from "effect"
import { type Call } from "../solution.ts"

export * from "../solution.ts"

const wait = (millis: number) => Effect.promise(() => new Promise<void>((resolve) => setTimeout(resolve, millis)))

const again = (call: Call, left: number, millis: number): Call =>
  Effect.catchTag(
    call,
    "Unavailable",
    (error) => left === 0 ? Effect.fail(error) : Effect.andThen(wait(millis), again(call, left - 1, millis * 2))
  )

export const charge = (call: Call): Call => again(call, 3, 100)
