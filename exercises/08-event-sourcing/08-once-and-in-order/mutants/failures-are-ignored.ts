// fails: e - lets nothing stop the worker, and never hears that something has failed
import { Effect } from "effect"
import { Outbox } from "effect-lifecycle/store"
import { type Deliver, patience, topic } from "../hall.ts"

export * from "../solution.ts"

export const relay = (deliver: Deliver): Effect.Effect<never, never, Outbox.Outbox> =>
  Effect.orDie(
    Outbox.Outbox.use((outbox) =>
      outbox.run({ ...patience, topics: [topic], publish: (message) => Effect.ignore(deliver(message)) })
    )
  )
