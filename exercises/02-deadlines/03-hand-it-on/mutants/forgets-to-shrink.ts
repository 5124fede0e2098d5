// fails: b - hands on the budget that it was given, not what is left of it
import { Duration, Effect, Option } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { header, margin, type Reply, type Service } from "../solution.ts"

export * from "../solution.ts"

export const call = (service: Service): Effect.Effect<Reply> =>
  Effect.gen(function*() {
    const deadline = yield* Deadline.Current
    const left = yield* Deadline.remaining
    if (Option.isNone(deadline) || Option.isNone(left)) return yield* service({})
    const budget = Number(deadline.value.expiresAtNanos - deadline.value.startedAtNanos) / 1e9
    const forThem = Duration.toMillis(left.value) - Duration.toMillis(margin)
    return forThem > 0 ? yield* service({ [header]: String(budget) }) : { status: 504 }
  })
