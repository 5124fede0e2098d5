// fails: c - reads seconds with `Number`, for which nothing is zero
import { Clock, Duration, Effect, Option, Random } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { type Answer, GaveUp } from "../solution.ts"

export * from "../solution.ts"

export const asked = (value: string, nowMillis: number): number | undefined => {
  const seconds = Number(value)
  if (!Number.isNaN(seconds)) return Math.max(0, seconds * 1000)
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMillis)
}

const repeatable = (answer: Answer): boolean => answer.status === 429 || answer.status === 503

export const obey = (send: Effect.Effect<Answer>): Effect.Effect<Answer, GaveUp> =>
  Effect.gen(function*() {
    for (const own of [100, 200, 400]) {
      const last = yield* send
      if (!repeatable(last)) return last
      const told = asked(last.retryAfter ?? "", yield* Clock.currentTimeMillis) ?? 0
      if (told > 30_000) return yield* new GaveUp({ reason: "too long", last })
      const wait = told > own ? told * (1 + 0.2 * (yield* Random.next)) : own
      const left = yield* Deadline.remaining
      if (Option.isSome(left) && wait > Duration.toMillis(left.value)) {
        return yield* new GaveUp({ reason: "no time", last })
      }
      yield* Effect.sleep(wait)
    }
    const last = yield* send
    return repeatable(last) ? yield* new GaveUp({ reason: "attempts", last }) : last
  })
