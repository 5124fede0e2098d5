// fails: c - asks whether the number is bad, and every comparison with NaN says no
import { Duration, Effect } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { header, type Reply, type Service, standard } from "../solution.ts"

export * from "../solution.ts"

export const granted = (value: string | undefined): Duration.Duration => {
  const seconds = Number(value)
  return seconds < 0 || seconds > 3600 ? Duration.fromInputUnsafe(standard) : Duration.millis(seconds * 1000)
}

export const receive = (handler: Effect.Effect<string>): Service => (headers) =>
  handler.pipe(
    Effect.map((body): Reply => ({ status: 200, body })),
    Deadline.within(granted(headers[header])),
    Effect.catchTag("DeadlineExceeded", () => Effect.succeed({ status: 504 }))
  )
