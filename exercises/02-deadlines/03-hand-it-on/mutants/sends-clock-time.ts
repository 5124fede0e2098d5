// fails: b - sends when the answer is due, by a clock that the other machine does not share
import { Clock, Duration, Effect, Option } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { header, margin, type Reply, type Service } from "../solution.ts"

export * from "../solution.ts"

export const call = (service: Service): Effect.Effect<Reply> =>
  Effect.gen(function*() {
    const left = yield* Deadline.remaining
    if (Option.isNone(left)) return yield* service({})
    const forThem = Duration.toMillis(left.value) - Duration.toMillis(margin)
    const due = 1_800_000_000_000 + (yield* Clock.currentTimeMillis) + forThem
    return forThem > 0 ? yield* service({ [header]: String(due / 1000) }) : { status: 504 }
  })
