// fails: b - writes the message first, and stores the event when it is safe
import { Effect } from "effect"
import { EventStore, Outbox } from "effect-lifecycle/store"
import { Conflict, type Request, topic } from "../hall.ts"

export * from "../solution.ts"

export const reserve = (request: Request) =>
  Effect.gen(function*() {
    const store = yield* EventStore.EventStore
    const outbox = yield* Outbox.Outbox
    yield* outbox.enqueue({ topic, key: request.show, payload: request })
    const result = yield* store.append({
      stream: { category: "Show", id: request.show },
      expect: request.seen,
      events: [{ type: "Reserved", data: request }]
    })
    if (result._tag === "Conflict") return yield* new Conflict({ expected: request.seen, actual: result.actual })
    return result.version
  })
