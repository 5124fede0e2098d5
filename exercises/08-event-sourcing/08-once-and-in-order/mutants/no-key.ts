// fails: d - trusts that what was written first is sent first
import { Effect } from "effect"
import { EventStore, Outbox, UnitOfWork } from "effect-lifecycle/store"
import { Conflict, type Request, topic } from "../hall.ts"

export * from "../solution.ts"

export const reserve = (request: Request) =>
  UnitOfWork.UnitOfWork.use((unit) =>
    unit.run(Effect.gen(function*() {
      const store = yield* EventStore.EventStore
      const outbox = yield* Outbox.Outbox
      const result = yield* store.append({
        stream: { category: "Show", id: request.show },
        expect: request.seen,
        events: [{ type: "Reserved", data: request }]
      })
      if (result._tag === "Conflict") return yield* new Conflict({ expected: request.seen, actual: result.actual })
      yield* outbox.enqueue({ topic, payload: request })
      return result.version
    }))
  )
