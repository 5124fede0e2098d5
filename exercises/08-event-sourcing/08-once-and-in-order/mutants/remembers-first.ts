// fails: c - writes down that it was handled, and then handles it
import { Effect, Option } from "effect"
import { Inbox, type Outbox } from "effect-lifecycle/store"
import type { Desk, Request } from "../hall.ts"

export * from "../solution.ts"

export const receive = (desk: Desk, message: Outbox.Message) =>
  Effect.gen(function*() {
    const inbox = yield* Inbox.Inbox
    const first = yield* inbox.once({ source: desk.name, id: message.id }, Effect.void)
    if (Option.isSome(first)) yield* desk.handle(message.payload as Request)
  })
