// fails: b - looks at the answer of the store when the message is out of the transaction's hands
import { Effect } from "effect"
import { EventStore, Outbox, UnitOfWork } from "effect-lifecycle/store"
import { Conflict, type Request, topic } from "../hall.ts"

export * from "../solution.ts"

export const reserve = (request: Request) =>
  Effect.gen(function*() {
    const unit = yield* UnitOfWork.UnitOfWork
    const store = yield* EventStore.EventStore
    const outbox = yield* Outbox.Outbox
    const result = yield* unit.run(Effect.gen(function*() {
      const stored = yield* store.append({
        stream: { category: "Show", id: request.show },
        expect: request.seen,
        events: [{ type: "Reserved", data: request }]
      })
      yield* outbox.enqueue({ topic, key: request.show, payload: request })
      return stored
    }))
    if (result._tag === "Conflict") return yield* new Conflict({ expected: request.seen, actual: result.actual })
    return result.version
  })
