import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Schema } from "effect"
import { EventStore, MemoryStore } from "effect-lifecycle/store"
import { check, expectFailure, expectSuccess } from "../../support.ts"
import { type Event, type State, UnknownType } from "./events.ts"
import { evolve, load, replay, start } from "./exercise.ts"

const empty: State = { version: 0, open: false, seats: 0, taken: {} }

const story: ReadonlyArray<Event> = [
  { _tag: "Opened", seats: 100 },
  { _tag: "Reserved", customer: "ada", seats: 2 },
  { _tag: "Reserved", customer: "bob", seats: 3 },
  { _tag: "Reserved", customer: "ada", seats: 4 },
  { _tag: "Released", customer: "bob", seats: 3 },
  { _tag: "Released", customer: "ada", seats: 1 },
  { _tag: "Closed" }
]
const end: State = { version: 7, open: false, seats: 100, taken: { ada: 5 } }

const deepFreeze = <A extends object>(value: A): A => {
  for (const part of Object.values(value)) if (typeof part === "object" && part !== null) deepFreeze(part)
  return Object.freeze(value)
}

const Customer = Schema.Literals(["ada", "bob", "cyd"])
const Seats = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 }))
const AnyEvent = Schema.Union([
  Schema.Struct({ _tag: Schema.tag("Opened"), seats: Seats }),
  Schema.Struct({ _tag: Schema.tag("Reserved"), customer: Customer, seats: Seats }),
  Schema.Struct({ _tag: Schema.tag("Closed") })
])

describe("a: no events, no change", () => {
  it("from the start, and from a state", () => {
    assert.deepEqual(replay([]), empty, "Before the first event there is the start state.")
    assert.deepEqual(replay([], end), end, "Without events a state stays what it is.")
  })
})

describe("b: a state is the sum of its events", () => {
  it("one event after the other", () => {
    const steps: ReadonlyArray<State> = [
      { version: 1, open: true, seats: 100, taken: {} },
      { version: 2, open: true, seats: 100, taken: { ada: 2 } },
      { version: 3, open: true, seats: 100, taken: { ada: 2, bob: 3 } },
      { version: 4, open: true, seats: 100, taken: { ada: 6, bob: 3 } },
      { version: 5, open: true, seats: 100, taken: { ada: 6 } },
      { version: 6, open: true, seats: 100, taken: { ada: 5 } },
      end
    ]
    let state = empty
    for (const [index, event] of story.entries()) {
      const seen = JSON.stringify(event)
      state = evolve(state, event)
      assert.deepEqual(state, steps[index]!, `This is the state after event ${index + 1}, ${seen}.`)
    }
  })

  it("all at once", () => assert.deepEqual(replay(story), end, "Replaying the whole story gives the state at its end."))

  it("in two parts", () => {
    for (let cut = 0; cut <= story.length; cut++) {
      const seen = replay(story.slice(cut), replay(story.slice(0, cut)))
      check(
        seen.version === story.length,
        `First ${cut} events and then ${story.length - cut} make version ${story.length}. Seen: ${seen.version}.`
      )
      assert.deepEqual(seen, end, `The first ${cut} events and then the others must give the same as all of them.`)
    }
  })

  it.prop("in two parts, whatever they are", [Schema.Array(AnyEvent), Schema.Array(AnyEvent)], ([first, then]) => {
    const whole = replay([...first, ...then])
    assert.deepEqual(
      replay(then, replay(first)),
      whole,
      "The first events and then the others must give the same as all of them."
    )
    check(
      whole.version === first.length + then.length,
      `After ${first.length + then.length} events the version is ${first.length + then.length}. Seen: ${whole.version}.`
    )
  })
})

describe("c: nothing that was given is changed", () => {
  it("neither the state nor the events", () => {
    const before = deepFreeze<State>({ version: 3, open: true, seats: 10, taken: { ada: 2, bob: 1 } })
    for (const event of story) {
      try {
        const after = evolve(before, deepFreeze({ ...event }))
        check(after !== before, "A new event makes a new state: it has a higher version.")
      } catch (error) {
        check(
          !(error instanceof TypeError),
          `${event._tag} must make a new state, not change the one it got. Seen: ${error}`
        )
        throw error
      }
    }
  })

  it("two shows do not share their start", () => {
    const one = replay(story.slice(0, 2))
    check(one.taken["ada"] === 2, `Ada has 2 seats in the first show. Seen: ${one.taken["ada"]}.`)
    assert.deepEqual(start(), empty, "The start state must be new for every show; this one knows of another.")
    const two = replay([{ _tag: "Opened", seats: 5 }])
    assert.deepEqual(two.taken, {}, "Nobody has a seat in the second show; Ada's are in the first.")
  })
})

describe("d: an unknown event fails loudly", () => {
  it("with its type", () => {
    const moved = { _tag: "Moved", hall: "B" } as unknown as Event
    let seen: unknown = "nothing was thrown"
    try {
      replay([...story, moved])
    } catch (error) {
      seen = error
    }
    check(seen instanceof UnknownType, `An event that nobody knows must throw UnknownType. Seen: ${String(seen)}.`)
    assert.strictEqual(seen.type, "Moved", "The error must name the type, or nobody finds it.")
  })
})

describe("e: the same with the library", () => {
  const stream = (id: string): EventStore.StreamId => ({ category: "Show", id })
  const stored = story.map(({ _tag, ...data }) => ({ type: _tag, data }))

  it.effect("a show of seven events, beside another", () =>
    Effect.gen(function*() {
      const store = yield* EventStore.EventStore
      yield* store.append({ stream: stream("hamlet"), expect: 0, events: stored })
      yield* store.append({ stream: stream("macbeth"), expect: 0, events: stored.slice(0, 2) })
      const loaded = expectSuccess(yield* Effect.exit(load("hamlet")), "A show that is stored can be loaded.")
      assert.deepEqual(loaded, { state: end, version: 7 }, "Loading folds the events of this show.")
      const other = expectSuccess(yield* Effect.exit(load("macbeth")), "A show that is stored can be loaded.")
      assert.strictEqual(other.state.taken["ada"], 2, "Each show has its own events.")
    }).pipe(Effect.provide(MemoryStore.layer)))

  it.effect("an event from a newer program", () =>
    Effect.gen(function*() {
      const store = yield* EventStore.EventStore
      yield* store.append({ stream: stream("hamlet"), expect: 0, events: [...stored, { type: "Moved", data: {} }] })
      const exit = yield* Effect.exit(load("hamlet"))
      check(Exit.isFailure(exit), "A show with an event that nobody knows must not load.")
      const error = expectFailure(exit, "The library fails with UnknownEvent.")
      assert.strictEqual(error._tag, "UnknownEvent", "The library fails with UnknownEvent.")
    }).pipe(Effect.provide(MemoryStore.layer)))
})
