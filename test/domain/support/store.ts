import { Effect, Layer, Stream } from "effect"
import { EventStore, StateStore, UnitOfWork } from "effect-lifecycle/store"
import { layer as memory } from "effect-lifecycle/store/MemoryStore"

export { memory }

export type Step = "findAppend" | "append" | "put"

const broken = (operation: string) => Effect.fail(new UnitOfWork.StoreUnavailable({ operation, reason: "test" }))

/** The memory store, failing at the steps that `fails` names, each after it has done its work. */
export const failingAt = (fails: (step: Step) => boolean) => {
  const after = <A, E>(step: Step, self: Effect.Effect<A, E>): Effect.Effect<A, E | UnitOfWork.StoreUnavailable> =>
    Effect.tap(self, () => fails(step) ? broken(step) : Effect.void)
  const events = Layer.effect(
    EventStore.EventStore,
    EventStore.EventStore.use((store) =>
      Effect.succeed(EventStore.EventStore.of({
        ...store,
        append: (append) => after("append", store.append(append)),
        findAppend: (stream, id) => after("findAppend", store.findAppend(stream, id))
      }))
    )
  )
  const states = Layer.effect(
    StateStore.StateStore,
    StateStore.StateStore.use((store) =>
      Effect.succeed(StateStore.StateStore.of({
        ...store,
        put: (collection, row) => after("put", store.put(collection, row))
      }))
    )
  )
  return Layer.merge(events, states).pipe(Layer.provideMerge(memory))
}

/** The memory store, whose first `times` appends find that another writer was first. */
export const overtaken = (times: number) => {
  let left = times
  return Layer.effect(
    EventStore.EventStore,
    EventStore.EventStore.use((store) =>
      Effect.succeed(EventStore.EventStore.of({
        ...store,
        append: (append) =>
          left-- > 0
            ? Effect.map(store.version(append.stream), (actual): EventStore.Conflict => ({
              _tag: "Conflict",
              expected: append.expect,
              actual: actual + 1
            }))
            : store.append(append)
      }))
    )
  ).pipe(Layer.provideMerge(memory))
}

/** Every event in the store. */
export const allEvents = EventStore.EventStore.use((store) => Stream.runCollect(store.readAll()))
