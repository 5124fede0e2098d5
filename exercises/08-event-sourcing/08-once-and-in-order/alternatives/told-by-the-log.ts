// Stores only the event: the messages are made of the events afterwards, by a subscription beside the worker.
import { Effect, Option } from "effect"
import { EventStore, Inbox, Outbox, type StateStore, type Subscription, UnitOfWork } from "effect-lifecycle/store"
import { Conflict, type Deliver, type Desk, type Full, patience, type Request, topic } from "../hall.ts"

export const reserve = (request: Request) =>
  Effect.flatMap(
    EventStore.EventStore.use((store) =>
      store.append({
        stream: { category: "Show", id: request.show },
        expect: request.seen,
        events: [{ type: "Reserved", data: request }]
      })
    ),
    (result) =>
      result._tag === "Appended"
        ? Effect.succeed(result.version)
        : Effect.fail(new Conflict({ expected: request.seen, actual: result.actual }))
  )

export const relay = (
  deliver: Deliver
): Effect.Effect<never, never, Outbox.Outbox | Subscription.Subscriptions> =>
  Effect.orDie(Effect.raceFirst(
    Outbox.relay({
      name: "tell the hall",
      types: ["Reserved"],
      messages: (event) => Effect.succeed([{ topic, key: event.stream.id, payload: event.data }])
    }),
    Outbox.Outbox.use((outbox) => outbox.run({ ...patience, topics: [topic], poison: "pause", publish: deliver }))
  ))

/** The desk's name is part of the id: what is one message to the sender is one for each desk here. */
export const receive = (
  desk: Desk,
  message: Outbox.Message
): Effect.Effect<
  void,
  Full | UnitOfWork.StoreUnavailable | Inbox.InvalidReceived,
  Inbox.Inbox | StateStore.StateStore | UnitOfWork.UnitOfWork
> =>
  Effect.gen(function*() {
    const inbox = yield* Inbox.Inbox
    const unit = yield* UnitOfWork.UnitOfWork
    yield* unit.run(Effect.gen(function*() {
      const first = yield* inbox.once({ source: "shows", id: `${desk.name}/${message.id}` }, Effect.void)
      if (Option.isSome(first)) yield* desk.handle(message.payload as Request)
    }))
  })

export const again = (show: string): Effect.Effect<boolean, UnitOfWork.StoreUnavailable, Outbox.Outbox> =>
  Effect.gen(function*() {
    const outbox = yield* Outbox.Outbox
    let found = false
    for (const { id, key } of yield* outbox.deadLetters()) {
      if (key === show && (yield* outbox.redeliver(id))) found = true
    }
    return found
  })
