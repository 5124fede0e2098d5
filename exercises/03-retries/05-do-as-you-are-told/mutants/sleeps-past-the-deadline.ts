// fails: e - waits as it was told, though nobody will be there at the end
import { Clock, Effect, Random } from "effect"
import { type Answer, asked, GaveUp } from "../solution.ts"

export * from "../solution.ts"

const repeatable = (answer: Answer): boolean => answer.status === 429 || answer.status === 503

export const obey = (send: Effect.Effect<Answer>): Effect.Effect<Answer, GaveUp> =>
  Effect.gen(function*() {
    for (const own of [100, 200, 400]) {
      const last = yield* send
      if (!repeatable(last)) return last
      const told = asked(last.retryAfter ?? "", yield* Clock.currentTimeMillis) ?? 0
      if (told > 30_000) return yield* new GaveUp({ reason: "too long", last })
      const wait = told > own ? told * (1 + 0.2 * (yield* Random.next)) : own
      yield* Effect.sleep(wait)
    }
    const last = yield* send
    return repeatable(last) ? yield* new GaveUp({ reason: "attempts", last }) : last
  })
