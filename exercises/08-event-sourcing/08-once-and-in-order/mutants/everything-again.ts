// fails: e - redelivers whatever was put aside
import { Effect } from "effect"
import { Outbox, type UnitOfWork } from "effect-lifecycle/store"
import { topic } from "../hall.ts"

export * from "../solution.ts"

export const again = (show: string): Effect.Effect<boolean, UnitOfWork.StoreUnavailable, Outbox.Outbox> =>
  Effect.gen(function*() {
    const outbox = yield* Outbox.Outbox
    const letters = yield* outbox.deadLetters({ topics: [topic] })
    for (const { id } of letters) yield* outbox.redeliver(id)
    return letters.some(({ key }) => key === show)
  })
