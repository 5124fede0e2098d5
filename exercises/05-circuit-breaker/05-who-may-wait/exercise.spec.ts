import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import { type Priority } from "effect-lifecycle/request"
import { TestClock } from "effect/testing"
import { check, expectFailure } from "../../support.ts"
import { type Lanes, type Limits, make, makeWithLibrary, type Refused } from "./exercise.ts"

type Make = (limits: Limits) => Effect.Effect<Lanes>

/** Calls that run until they are told to end, and what was seen of them. */
const makeShop = (lanes: Lanes) => {
  const begun: Array<string> = []
  const gates = new Map<string, Deferred.Deferred<void, string>>()
  const fibers = new Map<string, Fiber.Fiber<Exit.Exit<void, string | Refused>>>()
  const settle = TestClock.adjust(1)
  const call = (name: string) =>
    Effect.gen(function*() {
      begun.push(name)
      const gate = yield* Deferred.make<void, string>()
      gates.set(name, gate)
      yield* Deferred.await(gate)
    })
  return {
    begun,
    /** Somebody comes. */
    come: (name: string, priority: Priority.Priority) =>
      Effect.gen(function*() {
        fibers.set(
          name,
          yield* Effect.forkChild(Effect.exit(lanes.run(priority, call(name))), { startImmediately: true })
        )
        yield* settle
      }),
    /** A running call ends. */
    end: (name: string, exit: Exit.Exit<void, string> = Exit.void) =>
      Effect.gen(function*() {
        const gate = gates.get(name)
        check(
          gate !== undefined,
          `"${name}" must be running by now, and is not. These have begun: ${begun.join(", ")}.`
        )
        yield* Deferred.done(gate, exit)
        yield* settle
      }),
    leave: (name: string) => Effect.andThen(Fiber.interrupt(fibers.get(name)!), settle),
    refused: (name: string, sentence: string) =>
      Effect.sync(() => {
        const exit = fibers.get(name)?.pollUnsafe()
        check(exit !== undefined && Exit.isSuccess(exit), `${sentence} Seen: it still waits, or runs.`)
        const error = expectFailure(exit.value, sentence)
        check(typeof error === "object" && error._tag === "Refused", `${sentence} Seen: another failure.`)
        check(!begun.includes(name), `"${name}" was refused, so it must not have run.`)
      }),
    waits: (name: string, sentence: string) =>
      Effect.sync(() => check(fibers.get(name)?.pollUnsafe() === undefined, `${sentence} Seen: it has ended.`))
  }
}

const urgentFirst = (make: Make) =>
  Effect.gen(function*() {
    const shop = makeShop(yield* make({ permits: 2, queue: 10 }))
    const comers = [
      ["one", "low"],
      ["two", "normal"],
      ["report", "low"],
      ["order", "normal"],
      ["till", "critical"],
      ["second order", "normal"],
      ["second till", "critical"],
      ["transfer", "high"]
    ] as const
    for (const [name, priority] of comers) yield* shop.come(name, priority)
    assert.deepStrictEqual(shop.begun, ["one", "two"], "With two permits two of eight calls run, and the others wait.")
    const ends: ReadonlyArray<readonly [string, Exit.Exit<void, string>]> = [
      ["two", Exit.void],
      ["one", Exit.fail("down")],
      ["till", Exit.die(new Error("a bug"))],
      ["second till", Exit.void],
      ["transfer", Exit.void],
      ["order", Exit.void]
    ]
    for (const [name, exit] of ends) yield* shop.end(name, exit)
    assert.deepStrictEqual(
      shop.begun,
      ["one", "two", "till", "second till", "transfer", "order", "second order", "report"],
      "After each end, a failure or a bug too, the most urgent begins, and of equally urgent ones the first who came."
    )
    yield* shop.end("second order")
    yield* shop.end("report")
    yield* shop.come("late", "low")
    yield* shop.come("later", "low")
    yield* shop.come("too late", "low")
    assert.deepStrictEqual(shop.begun.slice(8), ["late", "later"], "When all have ended there are two permits again.")
  })

const shedding = (make: Make) =>
  Effect.gen(function*() {
    const shop = makeShop(yield* make({ permits: 1, queue: 3 }))
    yield* shop.come("running", "normal")
    yield* shop.come("report", "low")
    yield* shop.come("order", "normal")
    yield* shop.come("second report", "low")
    yield* shop.come("third report", "low")
    yield* shop.refused("third report", "Nobody in the full queue is less urgent than a low one, so it is refused.")
    yield* shop.come("second order", "normal")
    yield* shop.refused("second report", "An order takes the place of the newest of the two reports.")
    yield* shop.waits("report", "Of two reports the one who came first stays.")
    yield* shop.come("till", "critical")
    yield* shop.refused("report", "The till takes the place of the report that was left.")
    yield* shop.come("third order", "normal")
    yield* shop.refused("third order", "Nobody in the full queue is less urgent than an order, so it is refused.")
    yield* shop.come("second till", "critical")
    yield* shop.refused("second order", "The second till takes the place of the newest order.")
    for (const name of ["running", "till", "second till", "order"]) yield* shop.end(name)
    assert.deepStrictEqual(
      shop.begun,
      ["running", "till", "second till", "order"],
      "Those who stayed in the queue run, the more urgent ones first."
    )
    const none = makeShop(yield* make({ permits: 1, queue: 0 }))
    yield* none.come("running", "low")
    yield* none.come("till", "critical")
    yield* none.refused("till", "Without a queue nobody waits, and who runs is left alone.")
  })

const leaving = (make: Make) =>
  Effect.gen(function*() {
    const shop = makeShop(yield* make({ permits: 1, queue: 3 }))
    yield* shop.come("running", "normal")
    yield* shop.come("transfer", "high")
    yield* shop.come("bored", "normal")
    yield* shop.come("patient", "low")
    yield* shop.leave("bored")
    assert.deepStrictEqual(shop.begun, ["running"], "Who leaves the queue had no permit, so none is given back.")
    yield* shop.come("newcomer", "low")
    yield* shop.waits("newcomer", "Somebody has left the queue, so there is a place in it.")
    yield* shop.come("one more", "low")
    yield* shop.refused("one more", "One has left and one has come: the queue of three is full again.")
    yield* shop.end("running")
    yield* shop.end("transfer")
    assert.deepStrictEqual(
      shop.begun,
      ["running", "transfer", "patient"],
      "Who has left is not woken any more: the next one is."
    )
    yield* shop.leave("patient")
    assert.deepStrictEqual(
      shop.begun,
      ["running", "transfer", "patient", "newcomer"],
      "A running call that is interrupted has ended as well: the next one begins."
    )
    yield* shop.end("newcomer")
    yield* shop.come("last", "low")
    assert.strictEqual(shop.begun.at(-1), "last", "After all that there is still one permit.")
    yield* shop.come("over", "low")
    assert.strictEqual(shop.begun.at(-1), "last", "After all that there is one permit, and not two.")
  })

describe("a: while there is room nobody waits", () => {
  it.effect("two calls", () =>
    Effect.gen(function*() {
      const lanes = yield* make({ permits: 2, queue: 0 })
      const exit = yield* Effect.exit(
        Effect.all([lanes.run("low", Effect.succeed("report")), lanes.run("high", Effect.fail("down"))])
      )
      assert.strictEqual(expectFailure(exit, "A failure of the call is the failure."), "down", "It is handed on.")
      const value = yield* lanes.run("low", Effect.succeed("report"))
      assert.strictEqual(value, "report", "The answer of the call is the answer.")
    }))
})

describe("b: so many run at once, and the more urgent ones come first", () => {
  it.effect("eight calls", () => urgentFirst(make))
})

describe("c: a full queue gives up its newest and least urgent", () => {
  it.effect("a queue of three, and none", () => shedding(make))
})

describe("d: whoever leaves gives back what it had", () => {
  it.effect("a place, and a permit", () => leaving(make))
})

describe("e: the same with Bulkhead and Priority", () => {
  it.effect("eight calls", () => urgentFirst(makeWithLibrary))
  it.effect("a full queue", () => shedding(makeWithLibrary))
  it.effect("leaving", () => leaving(makeWithLibrary))
})
