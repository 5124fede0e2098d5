// fails: b - trusts that a transaction without a failure has stored something
import { Effect } from "effect"
import { EventStore, Outbox, UnitOfWork } from "effect-lifecycle/store"
import { type Request, topic } from "../hall.ts"

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
      yield* outbox.enqueue({ topic, key: request.show, payload: request })
      return result._tag === "Appended" ? result.version : result.actual
    }))
  )
