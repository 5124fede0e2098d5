// fails: c - takes the key for the id
import { Effect } from "effect"
import { Inbox, type Outbox } from "effect-lifecycle/store"
import type { Desk, Request } from "../hall.ts"

export * from "../solution.ts"

export const receive = (desk: Desk, message: Outbox.Message) =>
  Effect.asVoid(
    Inbox.Inbox.use((inbox) =>
      inbox.once({ source: desk.name, id: message.key ?? "" }, desk.handle(message.payload as Request))
    )
  )
