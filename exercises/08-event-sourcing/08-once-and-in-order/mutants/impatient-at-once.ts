// fails: e - leaves it to the worker how often something is tried
import { Effect } from "effect"
import { Outbox } from "effect-lifecycle/store"
import { type Deliver, topic } from "../hall.ts"

export * from "../solution.ts"

export const relay = (deliver: Deliver): Effect.Effect<never, never, Outbox.Outbox> =>
  Effect.orDie(Outbox.Outbox.use((outbox) => outbox.run({ topics: [topic], publish: deliver })))
