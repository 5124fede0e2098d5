// fails: c - goes into debt during an outage
import { Effect } from "effect"
import type { Call, Payments, Policy } from "../solution.ts"

export { Declined, Down, makeWithLibrary } from "../solution.ts"

export const make = ({ maximum, ratio }: Policy): Effect.Effect<Payments> =>
  Effect.sync(() => {
    const full = maximum * 1000
    let tokens = full
    const watched = (call: Call): Call =>
      call.pipe(
        Effect.tap(() => Effect.sync(() => void (tokens = Math.min(full, tokens + Math.round(ratio * 1000))))),
        Effect.tapError((error) =>
          Effect.sync(() => {
            if (error._tag === "Down") tokens = tokens - 1000
          })
        )
      )
    return {
      run: (call) =>
        Effect.retry(watched(call), { times: 2, while: (error) => error._tag === "Down" && tokens > full / 2 })
    }
  })
