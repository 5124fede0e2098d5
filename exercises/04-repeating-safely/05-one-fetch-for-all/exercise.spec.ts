import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { TestClock } from "effect/testing"
import { check, expectFailure, expectSuccess } from "../../support.ts"
import { type Cache, type Fetch, make, makeWithEffect } from "./exercise.ts"

type Make = (fetch: Fetch, keepMillis: number) => Effect.Effect<Cache>

const keepMillis = 60_000

/** A bank that takes a second. The n-th fetch gives n, or fails where `failing` has n. */
const makeBank = (...failing: ReadonlyArray<number>) => {
  const starts: Array<number> = []
  const interrupted: Array<number> = []
  const fetch: Fetch = Effect.gen(function*() {
    const number = starts.push(yield* Clock.currentTimeMillis)
    yield* Effect.onInterrupt(Effect.sleep("1 second"), () => Effect.sync(() => interrupted.push(number)))
    return yield* failing.includes(number) ? Effect.fail(`fetch ${number} failed`) : Effect.succeed(number)
  })
  return { fetch, starts, interrupted }
}

/** Detached, so that a customer who cannot be interrupted does not keep the test from ending. */
const come = (cache: Cache) => Effect.forkDetach(Effect.exit(cache.get), { startImmediately: true })

/** Interrupts a customer, who may need a moment. */
const letGo = (fiber: Fiber.Fiber<unknown, unknown>) =>
  Effect.andThen(Effect.forkDetach(Fiber.interrupt(fiber), { startImmediately: true }), TestClock.adjust(0))

/** What a waiting caller has by now. */
const has = (fiber: Fiber.Fiber<Exit.Exit<number, string>>, sentence: string) =>
  Effect.suspend(() => {
    const ended = fiber.pollUnsafe()
    if (ended === undefined) return Effect.sync(() => assert.fail(`${sentence} Seen: still waiting.`))
    check(Exit.isSuccess(ended), `${sentence} Seen: it was interrupted.`)
    return Effect.succeed(ended.value)
  })

const once = (make: Make) =>
  Effect.gen(function*() {
    const { fetch, starts } = makeBank()
    const cache = yield* make(fetch, keepMillis)
    const first = yield* come(cache)
    yield* TestClock.adjust(400)
    const others = yield* Effect.forEach(Array.from({ length: 99 }), () => come(cache))
    yield* TestClock.adjust(600)
    assert.deepStrictEqual(starts, [0], "A hundred customers within one second are one fetch.")
    for (const fiber of [first, ...others]) {
      const exit = yield* has(fiber, "When the fetch has ended, all who wait for it have their answer.")
      assert.strictEqual(expectSuccess(exit, "The fetch has succeeded."), 1, "All of them have the same answer.")
    }
    yield* TestClock.adjust(keepMillis - 1)
    const kept = yield* has(yield* come(cache), "A value that is not too old is given at once.")
    assert.strictEqual(expectSuccess(kept, "The value is there."), 1, "It is the kept value.")
    assert.strictEqual(starts.length, 1, "There is nothing to ask for 59.999 s after the end of the fetch.")
    yield* TestClock.adjust(1)
    const again = yield* Effect.forEach(Array.from({ length: 50 }), () => come(cache))
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual(
      starts,
      [0, 61_000],
      "After 60 s the value is too old, counted from the end of the fetch: fifty customers are one more fetch."
    )
    const fresh = yield* has(again[49]!, "When the second fetch has ended, its answer is there.")
    assert.strictEqual(expectSuccess(fresh, "The second fetch has succeeded."), 2, "The second answer is the new one.")
  })

const leaving = (make: Make) =>
  Effect.gen(function*() {
    const { fetch, interrupted, starts } = makeBank()
    const cache = yield* make(fetch, keepMillis)
    const hasty = yield* Effect.forkDetach(Effect.exit(Deadline.within(cache.get, "200 millis")), {
      startImmediately: true
    })
    yield* TestClock.adjust(100)
    const patient = yield* come(cache)
    const bored = yield* come(cache)
    yield* TestClock.adjust(100)
    check(
      hasty.pollUnsafe() !== undefined,
      "Whoever has 200 ms is let go after 200 ms, and does not wait for the bank."
    )
    yield* letGo(bored)
    check(bored.pollUnsafe() !== undefined, "Whoever is interrupted is let go at once.")
    yield* TestClock.adjust(800)
    const exit = yield* has(patient, "The first customer has left, and the fetch went on for those who stayed.")
    check(!Exit.hasInterrupts(exit), "Somebody who stayed must not be interrupted because the first customer left.")
    assert.strictEqual(expectSuccess(exit, "The fetch has succeeded."), 1, "It is the answer of the first fetch.")
    assert.deepStrictEqual([starts, interrupted], [[0], []], "One fetch is enough, whoever leaves.")
  })

const allLeave = (make: Make) =>
  Effect.gen(function*() {
    const { fetch, interrupted, starts } = makeBank()
    const cache = yield* make(fetch, keepMillis)
    const waiting = [yield* come(cache), yield* come(cache), yield* come(cache)]
    yield* TestClock.adjust(500)
    yield* Effect.forEach(waiting.slice(0, 2), letGo)
    assert.deepStrictEqual(interrupted, [], "One of three still waits, so the fetch goes on.")
    yield* letGo(waiting[2]!)
    assert.deepStrictEqual(interrupted, [1], "Nobody waits any more, so the fetch must be interrupted.")
    const late = yield* come(cache)
    yield* TestClock.adjust(1000)
    const exit = yield* has(late, "Whoever comes after a fetch that was given up begins a new one.")
    assert.strictEqual(expectSuccess(exit, "The second fetch succeeds."), 2, "The second fetch gives the answer.")
    assert.deepStrictEqual(starts, [0, 500], "The second fetch begins when somebody asks again.")
  })

const failing = (make: Make) =>
  Effect.gen(function*() {
    const { fetch, starts } = makeBank(1)
    const cache = yield* make(fetch, keepMillis)
    const waiting = [yield* come(cache), yield* come(cache)]
    yield* TestClock.adjust(1000)
    for (const fiber of waiting) {
      const exit = yield* has(fiber, "When the fetch has failed, all who wait for it are told.")
      const error = expectFailure(exit, "The first fetch fails, and all who wait for it are told why.")
      assert.strictEqual(error, "fetch 1 failed", "They get the failure of the fetch.")
    }
    assert.strictEqual(starts.length, 1, "Two customers who wait for a fetch that fails are one fetch.")
    const next = yield* come(cache)
    yield* TestClock.adjust(1000)
    const exit = yield* has(next, "After a failure the next customer begins a new fetch.")
    assert.strictEqual(expectSuccess(exit, "The second fetch succeeds: a failure is not kept."), 2, "It is the second.")
    const kept = yield* has(yield* come(cache), "After that the value is kept as always.")
    assert.strictEqual(expectSuccess(kept, "The value is there."), 2, "The kept value is that of the second fetch.")
  })

describe("a: a value is fetched and given", () => {
  it.effect("to one customer", () =>
    Effect.gen(function*() {
      const { fetch } = makeBank()
      const cache = yield* make(fetch, keepMillis)
      const fiber = yield* come(cache)
      yield* TestClock.adjust("1 second")
      const exit = yield* has(fiber, "The fetch takes a second.")
      assert.strictEqual(expectSuccess(exit, "The fetch succeeds."), 1, "What was fetched is given.")
    }))
})

describe("b: it is fetched once for all, and again when it is too old", () => {
  it.effect("a hundred customers", () => once(make))

  it.effect("two caches are two", () =>
    Effect.gen(function*() {
      const { fetch, starts } = makeBank()
      const fibers = [yield* come(yield* make(fetch, keepMillis)), yield* come(yield* make(fetch, keepMillis))]
      yield* TestClock.adjust("1 second")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.strictEqual(starts.length, 2, "Each cache keeps a value of its own.")
    }))
})

describe("c: who leaves takes nobody along", () => {
  it.effect("the first one leaves", () => leaving(make))
  it.effect("all of them leave", () => allLeave(make))
})

describe("d: failures are told to all who wait, and not kept", () => {
  it.effect("the first fetch fails", () => failing(make))
})

describe("e: the same with Effect.cachedWithTTL", () => {
  it.effect("a hundred customers", () => once(makeWithEffect))
  it.effect("the first one leaves", () => leaving(makeWithEffect))
  it.effect("all of them leave", () => allLeave(makeWithEffect))
  it.effect("a failure", () => failing(makeWithEffect))
})
