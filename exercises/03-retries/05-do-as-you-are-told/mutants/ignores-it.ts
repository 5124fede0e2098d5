// fails: b - knows better than the one who is overloaded
import { Duration, Effect, Option } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { type Answer, GaveUp } from "../solution.ts"

export * from "../solution.ts"

const repeatable = (answer: Answer): boolean => answer.status === 429 || answer.status === 503

export const obey = (send: Effect.Effect<Answer>): Effect.Effect<Answer, GaveUp> =>
  Effect.gen(function*() {
    for (const own of [100, 200, 400]) {
      const last = yield* send
      if (!repeatable(last)) return last
      const wait = own
      const left = yield* Deadline.remaining
      if (Option.isSome(left) && wait > Duration.toMillis(left.value)) {
        return yield* new GaveUp({ reason: "no time", last })
      }
      yield* Effect.sleep(wait)
    }
    const last = yield* send
    return repeatable(last) ? yield* new GaveUp({ reason: "attempts", last }) : last
  })
