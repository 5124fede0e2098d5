// fails: e - redelivers what was put aside first
import { Effect } from "effect"
import { Outbox, type UnitOfWork } from "effect-lifecycle/store"
import { topic } from "../hall.ts"

export * from "../solution.ts"

export const again = (show: string): Effect.Effect<boolean, UnitOfWork.StoreUnavailable, Outbox.Outbox> =>
  Effect.gen(function*() {
    const outbox = yield* Outbox.Outbox
    const letters = yield* outbox.deadLetters({ topics: [topic] })
    const [letter] = letters
    return letter !== undefined && letter.key === show && (yield* outbox.redeliver(letter.id))
  })
