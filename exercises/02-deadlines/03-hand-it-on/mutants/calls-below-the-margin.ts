// fails: d - sends a zero and lets the other side refuse it
import { Duration, Effect, Option } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { header, margin, type Reply, type Service } from "../solution.ts"

export * from "../solution.ts"

export const call = (service: Service): Effect.Effect<Reply> =>
  Effect.gen(function*() {
    const left = yield* Deadline.remaining
    if (Option.isNone(left)) return yield* service({})
    const forThem = Math.max(0, Duration.toMillis(left.value) - Duration.toMillis(margin))
    return yield* service({ [header]: String(forThem / 1000) })
  })
