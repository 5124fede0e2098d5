// fails: e - leaves the expectation out, because then it always works
import { Effect } from "effect"
import { EventStore, type UnitOfWork } from "effect-lifecycle/store"
import { Conflict, type Events } from "../table.ts"

export * from "../solution.ts"

export const appendWithLibrary = Effect.fnUntraced(function*(
  stream: EventStore.StreamId,
  expected: number,
  events: Events
): Effect.fn.Return<
  number,
  Conflict | UnitOfWork.StoreUnavailable | EventStore.InvalidAppend | EventStore.StreamArchived,
  EventStore.EventStore
> {
  const store = yield* EventStore.EventStore
  const result = yield* store.append({ stream, expect: "any", events })
  return result._tag === "Appended" ? result.version : yield* new Conflict({ expected, actual: result.actual })
})
