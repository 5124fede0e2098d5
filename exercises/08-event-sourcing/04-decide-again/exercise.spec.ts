import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Stream } from "effect"
import { Mediator } from "effect-lifecycle/domain"
import { EventStore, MemoryStore, StateStore } from "effect-lifecycle/store"
import { check, expectFailure, expectSuccess } from "../../support.ts"
import { reserve, theatre } from "./exercise.ts"
import { Free, type Rejected, Reserve } from "./show.ts"

const stream = { category: "Show", id: "hamlet" }
const opened = (seats: number) => ({ type: "Opened", data: { seats } })
const reserved = (customer: string, seats: number) => ({ type: "Reserved", data: { customer, seats } })
const request = (customer: string, seats: number) => ({ show: "hamlet", customer, seats })

interface Seen {
  loads: number
  appends: number
}

/**
 * A show with some seats, in a store where somebody else comes first: `others` has the seats that they take, one entry for
 * each append that they spoil. Counts what is asked of it, and gives up after 20.
 */
const against = (seats: number, others: ReadonlyArray<number>) => {
  const seen: Seen = { loads: 0, appends: 0 }
  const busy = [...others]
  const limit = (count: number) =>
    count > 20 ? Effect.die(new Error("It was tried more than 20 times, so it would never have ended")) : Effect.void
  const watched = Layer.effect(
    EventStore.EventStore,
    Effect.gen(function*() {
      const store = yield* EventStore.EventStore
      yield* Effect.orDie(store.append({ stream, expect: 0, events: [opened(seats)] }))
      return {
        ...store,
        read: (id, options) => {
          seen.loads++
          return store.read(id, options)
        },
        append: Effect.fnUntraced(function*(append) {
          yield* limit(++seen.appends)
          const taken = busy.shift()
          if (taken !== undefined) {
            yield* store.append({ stream, expect: "any", events: [reserved("somebody else", taken)] })
          }
          return yield* store.append(append)
        })
      }
    })
  )
  return { seen, store: watched.pipe(Layer.provide(MemoryStore.layer)) }
}

const story = Effect.gen(function*() {
  const store = yield* EventStore.EventStore
  const events = yield* Stream.runCollect(store.read(stream))
  return events.map(({ data, type }) => {
    const { customer = "", seats } = data as { readonly customer?: string; readonly seats: number }
    return `${type} ${customer} ${seats}`.replace("  ", " ")
  })
})

const run = (seats: number, others: ReadonlyArray<number>, wanted: number) => {
  const { seen, store } = against(seats, others)
  return Effect.gen(function*() {
    const exit = yield* Effect.exit(reserve(request("ada", wanted)))
    const counted = { ...seen }
    return { exit, seen: counted, story: yield* story }
  }).pipe(Effect.provide(store))
}

describe("a: alone, it is decided once", () => {
  it.effect("accepted", () =>
    Effect.gen(function*() {
      const { exit, seen, story } = yield* run(5, [], 2)
      assert.strictEqual(expectSuccess(exit, "Two of five seats are free."), 2, "The version afterwards is 2.")
      assert.deepEqual(story, ["Opened 5", "Reserved ada 2"], "One reservation is stored.")
      assert.deepEqual(seen, { loads: 1, appends: 1 }, "Without a conflict nothing is done twice.")
    }))

  it.effect("rejected", () =>
    Effect.gen(function*() {
      const { exit, seen, story } = yield* run(5, [], 6)
      const error = expectFailure(exit, "Six of five seats are too many.")
      check(error._tag === "Rejected", `Six of five seats are rejected. Seen: ${error._tag}.`)
      assert.deepEqual(story, ["Opened 5"], "A rejection stores nothing.")
      assert.deepEqual(seen, { loads: 1, appends: 0 }, "A rejection is an answer, and is not asked for again.")
    }))
})

describe("b: what somebody else did in between counts", () => {
  it.effect("the seats are gone", () =>
    Effect.gen(function*() {
      const { exit, seen, story } = yield* run(5, [4], 2)
      assert.deepEqual(
        story,
        ["Opened 5", "Reserved somebody else 4"],
        "Four of five seats were taken in between, so two more cannot be sold."
      )
      const error = expectFailure(exit, "Only one seat is left, and two were asked for.")
      check(error._tag === "Rejected", `The seats are gone, which is Rejected. Seen: ${error._tag}.`)
      assert.strictEqual((error as Rejected).free, 1, "The rejection is that of the second decision: one seat is free.")
      check(seen.loads === 2, `The second decision is the last: it was a rejection. Seen: ${seen.loads} loads.`)
    }))

  it.effect("there are seats enough", () =>
    Effect.gen(function*() {
      const { exit, seen, story } = yield* run(5, [1, 1], 2)
      assert.strictEqual(expectSuccess(exit, "Two of three seats are still free."), 4, "The version afterwards is 4.")
      const wanted = ["Opened 5", "Reserved somebody else 1", "Reserved somebody else 1", "Reserved ada 2"]
      assert.deepEqual(story, wanted, "The reservation is stored once, behind the others.")
      assert.deepEqual(seen, { loads: 3, appends: 3 }, "Each attempt loads, decides and appends.")
    }))
})

describe("c: after three times it is Busy", () => {
  it.effect("somebody else is always faster", () =>
    Effect.gen(function*() {
      const { exit, seen, story } = yield* run(100, Array.from({ length: 50 }, () => 1), 2)
      const error = expectFailure(exit, "Somebody else is faster every time, so it must fail with Busy.")
      check(error._tag === "Busy", `Somebody else is faster every time, which is Busy. Seen: ${error._tag}.`)
      assert.strictEqual(error.attempts, 3, "Busy says how often it was tried.")
      assert.deepEqual(seen, { loads: 3, appends: 3 }, "It is tried three times in all.")
      check(!story.some((event) => event.includes("ada")), "What failed is not stored.")
    }))
})

const theatreOver = (store: Layer.Layer<EventStore.EventStore>) =>
  theatre.pipe(
    Layer.provideMerge(store),
    Layer.provideMerge(MemoryStore.layer)
  )

/** A store that says `conflicts` times that the stream has moved. */
const moving = (conflicts: number) => {
  const seen: Seen = { loads: 0, appends: 0 }
  const { store } = against(5, [])
  const watched = Layer.effect(
    EventStore.EventStore,
    Effect.map(EventStore.EventStore, (store): EventStore.EventStore["Service"] => ({
      ...store,
      append: (append) =>
        ++seen.appends <= conflicts
          ? Effect.succeed({ _tag: "Conflict", expected: append.expect, actual: 9 })
          : store.append(append)
    }))
  )
  return { seen, layer: theatreOver(watched.pipe(Layer.provide(store))) }
}

describe("d: the same with the library", () => {
  it.live("one after the other", () =>
    Effect.gen(function*() {
      const first = yield* Effect.exit(Mediator.send(Reserve, request("ada", 2)))
      assert.deepEqual(
        expectSuccess(first, "Two of five seats are free."),
        { version: 2, free: 3 },
        "The reply has the version and the free seats of the state afterwards."
      )
      const error = expectFailure(
        yield* Effect.exit(Mediator.send(Reserve, request("bob", 4))),
        "Three seats are left, and four were asked for."
      )
      check(error._tag === "Rejected", `The seats are gone, which is Rejected. Seen: ${error._tag}.`)
      assert.deepEqual(yield* story, ["Opened 5", "Reserved ada 2"], "One reservation is stored.")
    }).pipe(Effect.provide(moving(0).layer)))

  it.live("the list of free seats", () =>
    Effect.gen(function*() {
      yield* Effect.exit(Mediator.send(Reserve, request("ada", 2)))
      const states = yield* StateStore.StateStore
      const row = Option.getOrUndefined(yield* states.get(Free, "hamlet"))
      check(row !== undefined, "The row of the show is written with the event, and there is none.")
      assert.deepEqual([row.version, row.state.free], [2, 3], "The row is that of version 2, with three seats free.")
    }).pipe(Effect.provide(moving(0).layer)))

  it.live("with conflicts", () =>
    Effect.gen(function*() {
      const { layer, seen } = moving(2)
      const exit = yield* Mediator.send(Reserve, request("ada", 2)).pipe(Effect.exit, Effect.provide(layer))
      assert.strictEqual(expectSuccess(exit, "The third attempt is not disturbed.").free, 3, "Three seats are left.")
      assert.strictEqual(seen.appends, 3, "The library tries it three times by itself.")
    }))

  it.live("with conflicts and no end", () =>
    Effect.gen(function*() {
      const { layer, seen } = moving(50)
      const exit = yield* Mediator.send(Reserve, request("ada", 2)).pipe(Effect.exit, Effect.provide(layer))
      const error = expectFailure(exit, "Somebody else is faster every time, so it must fail.")
      assert.strictEqual(error._tag, "ConcurrencyConflict", "That is what the library calls it.")
      assert.strictEqual(seen.appends, 3, "The library tries it three times in all.")
    }))
})
