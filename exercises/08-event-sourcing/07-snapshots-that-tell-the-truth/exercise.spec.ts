import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { EventStore, MemoryStore } from "effect-lifecycle/store"
import { check, expectFailure, expectSuccess } from "../../support.ts"
import { load, reserve } from "./exercise.ts"
import {
  type Event,
  every,
  evolve,
  initial,
  schema,
  type Snapshot,
  type Snapshots,
  SnapshotsDown,
  type State
} from "./show.ts"

const stream = { category: "Show", id: "cats" }
const names = ["ada", "bob", "cleo", "dan"]

/** The first events of a show: it is opened, and then seats are sold. */
const history = (count: number): ReadonlyArray<Event> =>
  Array.from({ length: count }, (_, index) =>
    index === 0
      ? { type: "Opened", data: { seats: 100 } }
      : { type: "Reserved", data: { customer: names[(index * index) % 4]! } })

const stateAt = (count: number): State => history(count).reduce(evolve, initial)

interface Place extends Snapshots {
  readonly puts: Array<Snapshot>
}

/** A place for snapshots: with one in it, or one that does not answer. */
const place = (first?: Snapshot, broken: ReadonlyArray<"get" | "put"> = []): Place => {
  const puts: Array<Snapshot> = []
  let kept = first
  return {
    puts,
    get: () => broken.includes("get") ? Effect.fail(new SnapshotsDown()) : Effect.sync(() => kept),
    put: (_show, snapshot) =>
      broken.includes("put") ? Effect.fail(new SnapshotsDown()) : Effect.sync(() => void puts.push(kept = snapshot))
  }
}

/** What was asked of the store. */
const seen = { events: 0 }

/** A store in which somebody else may be faster, which counts the events that are read. */
const watched = (others: ReadonlyArray<Event> = []) =>
  Layer.effect(
    EventStore.EventStore,
    Effect.map(EventStore.EventStore, (store): EventStore.EventStore["Service"] => {
      const before = [...others]
      return {
        ...store,
        read: (id, options) => Stream.tap(store.read(id, options), () => Effect.sync(() => void seen.events++)),
        append: Effect.fnUntraced(function*(append) {
          const event = append.expect === "any" ? undefined : before.shift()
          if (event !== undefined) yield* store.append({ stream, expect: "any", events: [event] })
          return yield* store.append(append)
        })
      }
    })
  ).pipe(Layer.provide(MemoryStore.layer))

const written = (count: number) =>
  Effect.gen(function*() {
    const store = yield* EventStore.EventStore
    const [first, ...rest] = history(count)
    if (first !== undefined) yield* store.append({ stream, expect: "any", events: [first, ...rest] })
    seen.events = 0
  })

/** Loads a show of `count` events. */
const loaded = (snapshots: Snapshots, count: number) =>
  Effect.gen(function*() {
    yield* written(count)
    const exit = yield* Effect.exit(load(snapshots, "cats"))
    const show = expectSuccess(exit, "The events can be read, so the show can be loaded, whatever the snapshots do.")
    return { ...show, events: seen.events }
  }).pipe(Effect.provide(watched()))

const truth = (version: number): Snapshot => ({ schema, version, state: stateAt(version) })

/** What a good snapshot saves: it has to be used before it can be mistrusted. */
const used = Effect.gen(function*() {
  const { events } = yield* loaded(place(truth(20)), 25)
  check(events <= 6, `A good snapshot of version 20 is used: at most 6 of 25 events are read. Seen: ${events}.`)
})

describe("a: without a snapshot all events are read", () => {
  for (const count of [0, 1, 25]) {
    it.effect(`${count} events`, () =>
      Effect.gen(function*() {
        const { state, version } = yield* loaded(place(), count)
        assert.deepStrictEqual(state, stateAt(count), "The state is what the events make of the first one.")
        assert.strictEqual(version, count, "The version is the number of the last event.")
      }))
  }
})

describe("b: a snapshot and the rest are the whole", () => {
  it.effect("at every version of a show of 25 events", () =>
    Effect.gen(function*() {
      for (let at = 1; at <= 25; at++) {
        const { events, state, version } = yield* loaded(place(truth(at)), 25)
        assert.deepStrictEqual(state, stateAt(25), `A snapshot of version ${at} and the rest give the same state.`)
        assert.strictEqual(version, 25, `With a snapshot of version ${at} the version is 25, as without it.`)
        // One more is a way to see that the stream has not ended before the snapshot.
        check(
          events <= 25 - at + 1,
          `Behind a snapshot of version ${at} there are ${25 - at} of 25 events to read. Seen: ${events}.`
        )
      }
    }))
})

describe("c: one that may lie is not believed", () => {
  const lie: State = { free: 77, seats: {} }

  it.effect("another schema", () =>
    Effect.gen(function*() {
      yield* used
      for (const other of [1, 3]) {
        const { events, state } = yield* loaded(place({ schema: other, version: 20, state: lie }), 25)
        assert.deepStrictEqual(state, stateAt(25), `A snapshot of schema ${other} was made by another evolve.`)
        assert.strictEqual(events, 25, "Without a snapshot to believe all events are read, each of them once.")
      }
    }))

  it.effect("ahead of its stream", () =>
    Effect.gen(function*() {
      yield* used
      for (const [at, count] of [[26, 25], [40, 25], [1, 0]] as const) {
        const { state, version } = yield* loaded(place({ schema, version: at, state: lie }), count)
        assert.deepStrictEqual(
          [state, version],
          [stateAt(count), count],
          `A snapshot of version ${at} knows what a stream of ${count} events does not: the stream is right.`
        )
      }
      const { state } = yield* loaded(place(truth(25)), 25)
      assert.deepStrictEqual(state, stateAt(25), "A snapshot of the last version is not ahead.")
    }))

  it.effect("no answer", () =>
    Effect.gen(function*() {
      yield* used
      const { state } = yield* loaded(place(truth(20), ["get"]), 25)
      assert.deepStrictEqual(state, stateAt(25), "When the place for snapshots is down the events are still there.")
    }))
})

/** Sells seats of a show of `count` events, one after the other. */
const selling = (
  snapshots: Place,
  count: number,
  customers: ReadonlyArray<ReadonlyArray<string>>,
  others?: ReadonlyArray<Event>
) =>
  Effect.gen(function*() {
    yield* written(count)
    const exits = []
    for (const some of customers) exits.push(yield* Effect.exit(reserve(snapshots, { show: "cats", customers: some })))
    const store = yield* EventStore.EventStore
    const events = yield* Stream.runCollect(store.read(stream))
    const states = events.map((_, index) =>
      events.slice(0, index + 1).reduce((state, { data, type }) => evolve(state, { data, type } as Event), initial)
    )
    return { exits, events, states }
  }).pipe(Effect.provide(watched(others)))

const versions = (snapshots: Place): ReadonlyArray<number> => snapshots.puts.map(({ version }) => version)

describe("d: one is taken of what was stored, and of nothing else", () => {
  it.effect("when a multiple of ten is reached or passed", () =>
    Effect.gen(function*() {
      const snapshots = place()
      const three = ["ada", "bob", "ada"]
      const { states } = yield* selling(snapshots, 8, [["ada"], ["bob"], ["cleo"], three, three, three, three])
      assert.deepStrictEqual(
        versions(snapshots),
        [10, 20],
        `From 8 the versions are 9, 10, 11, 14, 17, 20, 23: ${every} and ${2 * every} are reached, each once.`
      )
      for (const snapshot of snapshots.puts) {
        assert.strictEqual(snapshot.schema, schema, "A snapshot says which evolve has made it.")
        assert.deepStrictEqual(snapshot.state, states[snapshot.version - 1], "It is the state at its version.")
      }
      const passing = place()
      yield* selling(passing, 8, [three, [...three, ...three, ...three, ...three]])
      assert.deepStrictEqual(versions(passing), [11, 23], "From 8 to 11 and from 11 to 23 a multiple of ten is passed.")
    }))

  it.effect("not when nothing was stored", () =>
    Effect.gen(function*() {
      const conflict = place()
      const { events, exits } = yield* selling(conflict, 9, [["ada"]], [{
        type: "Reserved",
        data: { customer: "dan" }
      }])
      const error = expectFailure(exits[0]!, "Somebody else was faster, which is a Conflict.")
      assert.strictEqual(error._tag, "Conflict", "Somebody else was faster, which is a Conflict.")
      assert.strictEqual(events.length, 10, "After a conflict there is only the event of the other one.")
      assert.deepStrictEqual(versions(conflict), [], "After a conflict there is nothing to take a snapshot of.")
      const rejected = place()
      const everybody = Array.from({ length: 200 }, () => "ada")
      const refused = yield* selling(rejected, 9, [everybody])
      const why = expectFailure(refused.exits[0]!, "There are not so many seats, which is Rejected.")
      assert.strictEqual(why._tag, "Rejected", "There are not so many seats, which is Rejected.")
      assert.deepStrictEqual(versions(rejected), [], "After a rejection there is nothing to take a snapshot of.")
    }))

  it.effect("after it was stored", () =>
    Effect.gen(function*() {
      const snapshots = place()
      const order: Array<string> = []
      yield* Effect.gen(function*() {
        yield* written(9)
        const store = yield* EventStore.EventStore
        yield* Effect.exit(
          reserve(
            {
              ...snapshots,
              put: (show, snapshot) =>
                Effect.andThen(
                  Effect.map(Effect.orDie(store.version(stream)), (version) => order.push(`at ${version}`)),
                  snapshots.put(show, snapshot)
                )
            },
            { show: "cats", customers: ["ada"] }
          )
        )
      }).pipe(Effect.provide(watched()))
      assert.deepStrictEqual(order, ["at 10"], "When the snapshot of version 10 is put, the store has version 10.")
    }))

  it.effect("and it is no reason to fail", () =>
    Effect.gen(function*() {
      const { events, exits } = yield* selling(place(undefined, ["put"]), 9, [["ada"]])
      const { version } = expectSuccess(exits[0]!, "The seat is sold, even if no snapshot can be put.")
      assert.strictEqual(version, 10, "The answer is the version afterwards.")
      assert.strictEqual(events.length, 10, "The seat is sold once.")
      const used = place()
      yield* selling(used, 9, [["ada"], ["bob"]])
      check(used.puts.length === 1, `Where snapshots can be put, one is, at version 10. Seen: ${used.puts.length}.`)
      check(seen.events <= 11 + 9 + 2, `Version 11 is loaded from that snapshot. Seen: ${seen.events} events read.`)
    }))
})
