// fails: c - takes two messages that say the same for one
import { Effect } from "effect"
import { Inbox, type Outbox } from "effect-lifecycle/store"
import type { Desk, Request } from "../hall.ts"

export * from "../solution.ts"

export const receive = (desk: Desk, message: Outbox.Message) =>
  Effect.asVoid(
    Inbox.Inbox.use((inbox) =>
      inbox.once({ source: desk.name, id: JSON.stringify(message.payload) }, desk.handle(message.payload as Request))
    )
  )
