// fails: e - answers that there was something whatever there was
import { Effect } from "effect"
import { Outbox, type UnitOfWork } from "effect-lifecycle/store"
import { topic } from "../hall.ts"

export * from "../solution.ts"

export const again = (show: string): Effect.Effect<boolean, UnitOfWork.StoreUnavailable, Outbox.Outbox> =>
  Effect.gen(function*() {
    const outbox = yield* Outbox.Outbox
    const letters = yield* outbox.deadLetters({ topics: [topic] })
    for (const { id, key } of letters) if (key === show) yield* outbox.redeliver(id)
    return true
  })
