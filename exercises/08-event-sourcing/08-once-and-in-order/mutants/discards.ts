// fails: e - lets the show go on by giving up what holds it back
import { Effect } from "effect"
import { Outbox, type UnitOfWork } from "effect-lifecycle/store"
import { topic } from "../hall.ts"

export * from "../solution.ts"

export const again = (show: string): Effect.Effect<boolean, UnitOfWork.StoreUnavailable, Outbox.Outbox> =>
  Effect.gen(function*() {
    const outbox = yield* Outbox.Outbox
    const letters = yield* outbox.deadLetters({ topics: [topic] })
    const letter = letters.find(({ key }) => key === show)
    return letter !== undefined && (yield* outbox.discard(letter.id))
  })
