// fails: b - gives every call a budget of its own
import { Effect } from "effect"
import type { Call, Payments, Policy } from "../solution.ts"

export { Declined, Down, makeWithLibrary } from "../solution.ts"

export const make = ({ maximum, ratio }: Policy): Effect.Effect<Payments> =>
  Effect.succeed({
    run: (whole) =>
      Effect.suspend(() => {
        const full = maximum * 1000
        let tokens = full
        const watched = (call: Call): Call =>
          call.pipe(
            Effect.tap(() => Effect.sync(() => void (tokens = Math.min(full, tokens + Math.round(ratio * 1000))))),
            Effect.tapError((error) =>
              Effect.sync(() => {
                if (error._tag === "Down") tokens = Math.max(0, tokens - 1000)
              })
            )
          )
        return Effect.retry(watched(whole), { times: 2, while: (error) => error._tag === "Down" && tokens > full / 2 })
      })
  })
