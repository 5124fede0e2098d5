// fails: c - has another id for each delivery
import { Effect } from "effect"
import { Inbox, type Outbox } from "effect-lifecycle/store"
import type { Desk, Request } from "../hall.ts"

export * from "../solution.ts"

export const receive = (desk: Desk, message: Outbox.Message) =>
  Effect.asVoid(Inbox.Inbox.use((inbox) =>
    Effect.flatMap(
      Effect.sync(() => String(++deliveries)),
      (delivery) => inbox.once({ source: desk.name, id: delivery }, desk.handle(message.payload as Request))
    )
  ))

let deliveries = 0
