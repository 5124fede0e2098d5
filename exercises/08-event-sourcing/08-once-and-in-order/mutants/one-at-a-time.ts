// fails: d - sends one message at a time, whatever it is about
import { Effect } from "effect"
import { Outbox } from "effect-lifecycle/store"
import { type Deliver, patience, topic } from "../hall.ts"

export * from "../solution.ts"

export const relay = (deliver: Deliver): Effect.Effect<never, never, Outbox.Outbox> =>
  Effect.orDie(
    Outbox.Outbox.use((outbox) => outbox.run({ ...patience, concurrency: 1, topics: [topic], publish: deliver }))
  )
