// Reads from the event of the snapshot on: if that one is not there, the snapshot is ahead, and all events are read.
import { Effect, Option, Stream } from "effect"
import { EventStore } from "effect-lifecycle/store"
import * as show from "../show.ts"

export type Loaded = Pick<show.Snapshot, "state" | "version">

export const streamOf = (id: string): EventStore.StreamId => ({ category: "Show", id })

const fold = (from: Loaded, events: ReadonlyArray<EventStore.StoredEvent>): Loaded => ({
  state: events.reduce((state, { data, type }) => show.evolve(state, { data, type } as show.Event), from.state),
  version: from.version + events.length
})

export const load = (
  snapshots: show.Snapshots,
  id: string
): Effect.Effect<Loaded, show.StoreFailed, EventStore.EventStore> =>
  Effect.gen(function*() {
    const store = yield* EventStore.EventStore
    const found = Option.getOrUndefined(yield* Effect.option(snapshots.get(id)))
    if (found?.schema === show.schema) {
      const [own, ...rest] = yield* Stream.runCollect(store.read(streamOf(id), { from: found.version }))
      if (own !== undefined) return fold(found, rest)
    }
    return fold({ state: show.initial, version: 0 }, yield* Stream.runCollect(store.read(streamOf(id))))
  })

export const reserve = (
  snapshots: show.Snapshots,
  request: show.Request
): Effect.Effect<
  Loaded,
  show.Rejected | show.Conflict | show.StoreFailed,
  EventStore.EventStore
> =>
  Effect.gen(function*() {
    const store = yield* EventStore.EventStore
    const before = yield* load(snapshots, request.show)
    const events = show.decide(before.state, request)
    if (events instanceof show.Rejected) return yield* events
    const stream = streamOf(request.show)
    const result = yield* store.append({ stream, expect: before.version, events })
    if (result._tag === "Conflict") {
      return yield* new show.Conflict({ expected: before.version, actual: result.actual })
    }
    const after = { state: events.reduce(show.evolve, before.state), version: result.version }
    const due = before.version - before.version % show.every + show.every
    const put = snapshots.put(request.show, { ...after, schema: show.schema })
    yield* after.version >= due ? Effect.catchTag(put, "SnapshotsDown", () => Effect.void) : Effect.void
    return after
  })
