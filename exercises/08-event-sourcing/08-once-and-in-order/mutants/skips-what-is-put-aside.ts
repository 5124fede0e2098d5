// fails: e - goes on with the later messages of a show
import { Effect } from "effect"
import { Outbox } from "effect-lifecycle/store"
import { type Deliver, patience, topic } from "../hall.ts"

export * from "../solution.ts"

export const relay = (deliver: Deliver): Effect.Effect<never, never, Outbox.Outbox> =>
  Effect.orDie(
    Outbox.Outbox.use((outbox) => outbox.run({ ...patience, poison: "skip", topics: [topic], publish: deliver }))
  )
