// fails: c - refuses what it has had already
import { Effect, Option } from "effect"
import { Inbox, type Outbox } from "effect-lifecycle/store"
import type { Desk, Request } from "../hall.ts"

export * from "../solution.ts"

export const receive = (desk: Desk, message: Outbox.Message) =>
  Inbox.Inbox.use((inbox) => inbox.once({ source: desk.name, id: message.id }, desk.handle(message.payload as Request)))
    .pipe(Effect.flatMap((handled) => Option.isSome(handled) ? Effect.void : Effect.die("it was handled already")))
