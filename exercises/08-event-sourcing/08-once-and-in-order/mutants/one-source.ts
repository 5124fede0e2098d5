// fails: c - lets the desks share one memory
import { Effect } from "effect"
import { Inbox, type Outbox } from "effect-lifecycle/store"
import type { Desk, Request } from "../hall.ts"

export * from "../solution.ts"

export const receive = (desk: Desk, message: Outbox.Message) =>
  Effect.asVoid(
    Inbox.Inbox.use((inbox) => inbox.once({ source: "shows", id: message.id }, desk.handle(message.payload as Request)))
  )
