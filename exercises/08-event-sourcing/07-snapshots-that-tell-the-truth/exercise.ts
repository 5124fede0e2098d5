/**
 * 08.7 Snapshots that tell the truth (stretch)
 *
 * The musical has run for three years. Its stream has 40,000 events, and each reservation reads them all. A snapshot is the
 * state at some version: with it only what came afterwards is read. It is quick, and it is a copy; a copy can be wrong. One
 * was made by the `evolve` of last year. One was taken before its events were stored, and they never were. And after the
 * disk was lost, the events of yesterday's backup met the snapshot of today.
 *
 * `show.ts` has the show, its `evolve` with a number (`schema`), and `Snapshots`.
 *
 * Do
 * 1. `load(snapshots, show)`: the state and the version. With a snapshot, read only the events behind it.
 * 2. Do not believe a snapshot with another `schema`, nor one that is ahead of its stream. Then, and where `get` fails, read all
 *    events. What the events say is the truth; a snapshot only saves time.
 * 3. `reserve(snapshots, request)`: load, decide, append at the loaded version. When the version has reached or passed a multiple
 *    of `every` with this append, put a snapshot of the state as it is stored now. Nothing is put before it is stored, nor after a
 *    rejection or a conflict.
 * 4. A snapshot that cannot be put is no reason to fail: the seats are sold.
 *
 * Check: `npm run learn`.
 * Try: `npx tsx workspace/08-event-sourcing/07-snapshots-that-tell-the-truth/exercise.ts`.
 */
import { Effect, Stream } from "effect"
import { EventStore, MemoryStore } from "effect-lifecycle/store"
import {
  Conflict,
  decide,
  type Event,
  evolve,
  initial,
  Rejected,
  type Request,
  type Snapshot,
  type Snapshots,
  type State,
  type StoreFailed
} from "./show.ts"

export interface Loaded {
  readonly state: State
  readonly version: number
}

export const streamOf = (show: string): EventStore.StreamId => ({ category: "Show", id: show })

/** The state of a show, and its version. */
export const load = Effect.fnUntraced(function*(
  _snapshots: Snapshots,
  show: string
): Effect.fn.Return<Loaded, StoreFailed, EventStore.EventStore> {
  const store = yield* EventStore.EventStore
  return yield* Stream.runFold(
    store.read(streamOf(show)),
    (): Loaded => ({ state: initial, version: 0 }),
    ({ state }, { data, type, version }) => ({ state: evolve(state, { data, type } as Event), version })
  )
})

/** Sells seats, and answers with the show as it is afterwards. */
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
  return { state: events.reduce(evolve, state), version: result.version }
})

if (import.meta.main) {
  const program = Effect.gen(function*() {
    const store = yield* EventStore.EventStore
    const kept = new Map<string, Snapshot>()
    let read = 0
    const counted: EventStore.EventStore["Service"] = {
      ...store,
      read: (stream, options) => Stream.tap(store.read(stream, options), () => Effect.sync(() => void read++))
    }
    const snapshots: Snapshots = {
      get: (show) => Effect.sync(() => kept.get(show)),
      put: (show, snapshot) => Effect.sync(() => void kept.set(show, snapshot))
    }
    yield* store.append({ stream: streamOf("cats"), expect: 0, events: [{ type: "Opened", data: { seats: 500 } }] })
    for (let n = 0; n < 300; n++) {
      yield* Effect.provideService(
        reserve(snapshots, { show: "cats", customers: ["ada"] }),
        EventStore.EventStore,
        counted
      )
    }
    console.log(`300 reservations have read ${read} events. With a snapshot every ten it would be fewer than 2000.`)
  })
  await Effect.runPromise(Effect.provide(program, MemoryStore.layer))
}
