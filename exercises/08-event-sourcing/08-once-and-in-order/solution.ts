import { Effect } from "effect"
import { EventStore, Inbox, Outbox, type StateStore, UnitOfWork } from "effect-lifecycle/store"
import { Conflict, type Deliver, type Desk, type Full, patience, type Request, topic } from "./hall.ts"

type StoreFailed =
  | Effect.Error<ReturnType<EventStore.EventStore["Service"]["append"]>>
  | Effect.Error<ReturnType<Outbox.Outbox["Service"]["enqueue"]>>

export const reserve = (
  request: Request
): Effect.Effect<
  number,
  Conflict | StoreFailed,
  EventStore.EventStore | Outbox.Outbox | UnitOfWork.UnitOfWork
> =>
  Effect.gen(function*() {
    const store = yield* EventStore.EventStore
    const outbox = yield* Outbox.Outbox
    const unit = yield* UnitOfWork.UnitOfWork
    return yield* unit.run(Effect.gen(function*() {
      const result = yield* store.append({
        stream: { category: "Show", id: request.show },
        expect: request.seen,
        events: [{ type: "Reserved", data: request }]
      })
      if (result._tag === "Conflict") {
        return yield* new Conflict({ expected: request.seen, actual: result.actual })
      }
      yield* outbox.enqueue({ topic, key: request.show, payload: request })
      return result.version
    }))
  })

export const relay = (deliver: Deliver): Effect.Effect<never, never, Outbox.Outbox> =>
  Effect.orDie(Outbox.Outbox.use((outbox) => outbox.run({ ...patience, topics: [topic], publish: deliver })))

export const receive = (
  desk: Desk,
  message: Outbox.Message
): Effect.Effect<
  void,
  Full | UnitOfWork.StoreUnavailable | Inbox.InvalidReceived,
  Inbox.Inbox | StateStore.StateStore
> =>
  Effect.asVoid(
    Inbox.Inbox.use((inbox) =>
      inbox.once({ source: `${desk.name} < shows`, id: message.id }, desk.handle(message.payload as Request))
    )
  )

export const again = (show: string): Effect.Effect<boolean, UnitOfWork.StoreUnavailable, Outbox.Outbox> =>
  Effect.gen(function*() {
    const outbox = yield* Outbox.Outbox
    const letters = yield* outbox.deadLetters({ topics: [topic] })
    const letter = letters.find(({ key }) => key === show)
    return letter !== undefined && (yield* outbox.redeliver(letter.id))
  })
