// fails: a - repeats whatever carries the header
import { Clock, Duration, Effect, Option, Random } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { type Answer, asked, GaveUp } from "../solution.ts"

export * from "../solution.ts"

const repeatable = (answer: Answer): boolean =>
  answer.status === 429 || answer.status === 503 || answer.retryAfter !== undefined

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
