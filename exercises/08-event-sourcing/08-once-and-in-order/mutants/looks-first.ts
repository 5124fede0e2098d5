// fails: c - asks whether it was handled, and then handles it
import { Effect } from "effect"
import { Inbox, type Outbox } from "effect-lifecycle/store"
import type { Desk, Request } from "../hall.ts"

export * from "../solution.ts"

export const receive = (desk: Desk, message: Outbox.Message) =>
  Effect.gen(function*() {
    const inbox = yield* Inbox.Inbox
    const received = { source: desk.name, id: message.id }
    if (yield* inbox.seen(received)) return
    yield* desk.handle(message.payload as Request)
    yield* inbox.once(received, Effect.void)
  })
