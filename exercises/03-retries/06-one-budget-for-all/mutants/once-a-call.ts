// fails: b - takes one token for a call, however many attempts it made
import { Effect } from "effect"
import type { Payments, Policy } from "../solution.ts"

export { Declined, Down, makeWithLibrary } from "../solution.ts"

export const make = ({ maximum, ratio }: Policy): Effect.Effect<Payments> =>
  Effect.sync(() => {
    const full = maximum * 1000
    let tokens = full
    return {
      run: (call) =>
        Effect.retry(call, { times: 2, while: (error) => error._tag === "Down" && tokens > full / 2 }).pipe(
          Effect.tap(() => Effect.sync(() => void (tokens = Math.min(full, tokens + Math.round(ratio * 1000))))),
          Effect.tapError((error) =>
            Effect.sync(() => {
              if (error._tag === "Down") tokens = Math.max(0, tokens - 1000)
            })
          )
        )
    }
  })
