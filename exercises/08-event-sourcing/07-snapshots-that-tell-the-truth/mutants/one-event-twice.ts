// fails: b - reads from the version of the snapshot, whose event is in it already
import { Effect, Stream } from "effect"
import { EventStore } from "effect-lifecycle/store"
import {
  Conflict,
  decide,
  type Event,
  every,
  evolve,
  initial,
  Rejected,
  type Request,
  schema,
  type Snapshots,
  type State,
  type StoreFailed
} from "../show.ts"

export interface Loaded {
  readonly state: State
  readonly version: number
}

export const streamOf = (show: string): EventStore.StreamId => ({ category: "Show", id: show })

const start: Loaded = { state: initial, version: 0 }

/** What a snapshot says, where it can be believed. */
const believed = Effect.fnUntraced(function*(
  snapshots: Snapshots,
  show: string
): Effect.fn.Return<Loaded, StoreFailed, EventStore.EventStore> {
  const store = yield* EventStore.EventStore
  const snapshot = yield* Effect.orElseSucceed(snapshots.get(show), () => undefined)
  if (snapshot === undefined || snapshot.schema !== schema) return start
  return snapshot.version > (yield* store.version(streamOf(show))) ? start : snapshot
})

export const load = Effect.fnUntraced(function*(
  snapshots: Snapshots,
  show: string
): Effect.fn.Return<Loaded, StoreFailed, EventStore.EventStore> {
  const store = yield* EventStore.EventStore
  const { state, version } = yield* believed(snapshots, show)
  return yield* Stream.runFold(
    store.read(streamOf(show), { from: version }),
    (): Loaded => ({ state, version }),
    ({ state }, { data, type, version }) => ({ state: evolve(state, { data, type } as Event), version })
  )
})

export const reserve = Effect.fnUntraced(function*(
  snapshots: Snapshots,
  request: Request
): Effect.fn.Return<
  Loaded,
  Rejected | Conflict | StoreFailed,
  EventStore.EventStore
> {
  const store = yield* EventStore.EventStore
  const { state, version } = yield* load(snapshots, request.show)
  const events = decide(state, request)
  if (events instanceof Rejected) return yield* events
  const result = yield* store.append({ stream: streamOf(request.show), expect: version, events })
  if (result._tag === "Conflict") return yield* new Conflict({ expected: version, actual: result.actual })
  const now: Loaded = { state: events.reduce(evolve, state), version: result.version }
  if (Math.floor(now.version / every) > Math.floor(version / every)) {
    yield* Effect.ignore(snapshots.put(request.show, { schema, ...now }))
  }
  return now
})
