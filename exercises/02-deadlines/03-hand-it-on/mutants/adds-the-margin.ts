// fails: b - gives the other side more time, so that the road cannot make it late
import { Duration, Effect, Option } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { header, margin, type Reply, type Service } from "../solution.ts"

export * from "../solution.ts"

export const call = (service: Service): Effect.Effect<Reply> =>
  Effect.gen(function*() {
    const left = yield* Deadline.remaining
    if (Option.isNone(left)) return yield* service({})
    const mine = Duration.toMillis(left.value)
    const forThem = mine + Duration.toMillis(margin)
    return mine > 50 ? yield* service({ [header]: String(forThem / 1000) }) : { status: 504 }
  })
