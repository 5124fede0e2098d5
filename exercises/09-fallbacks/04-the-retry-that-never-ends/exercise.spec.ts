import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { check, expectFailure, expectSuccess } from "../../support.ts"
import { ConnectionLost, type Payment, steady } from "./exercise.ts"

const payments: ReadonlyArray<Payment> = [1, 2, 3, 4, 5].map((id) => ({ id, amount: 12 }))

/** More than any right answer opens; beyond it the source dies, so that an endless retry ends here. */
const tooOften = 20

/** Gives so many payments in each run; the last number is for all further runs. It breaks unless it gives all five. */
const house = (...gives: ReadonlyArray<number>) => {
  const log = { opened: 0 }
  const feed = Stream.suspend((): Stream.Stream<Payment, ConnectionLost> => {
    const run = ++log.opened
    if (run > tooOften) return Stream.die(new Error(`opened more than ${tooOften} times`))
    const given = payments.slice(0, gives[Math.min(run, gives.length) - 1])
    const told = Stream.fromIterable(given)
    return given.length === payments.length ? told : Stream.concat(told, Stream.fail(new ConnectionLost({ run })))
  })
  const told: Array<number> = []
  const read = Effect.exit(Stream.runForEach(steady(feed), ({ id }) => Effect.sync(() => told.push(id))))
  return { log, read, told }
}

const all = payments.map(({ id }) => id)

describe("a: a source that does not break is opened once", () => {
  it.effect("five payments", () =>
    Effect.gen(function*() {
      const { log, read, told } = house(5)
      expectSuccess(yield* read, "The source did not break.")
      assert.deepStrictEqual(told, all, "The source did not break: its payments are all there is.")
      assert.strictEqual(log.opened, 1, "The source did not break, so it must be opened once.")
    }))
})

describe("b: a source that always breaks is opened three times", () => {
  for (const before of [2, 1, 0]) {
    it.effect(`after ${before} payments`, () =>
      Effect.gen(function*() {
        const { log, read } = house(before)
        yield* read
        check(
          log.opened <= tooOften,
          `The source gives ${before} payments and breaks. It was opened more than ${tooOften} times, with no end in sight.`
        )
        assert.strictEqual(log.opened, 3, `The source gives ${before} payments and breaks: three runs, and no more.`)
      }))
  }

  it.effect("a little further each time", () =>
    Effect.gen(function*() {
      const { log, read } = house(1, 2, 3, 4, 5)
      yield* read
      assert.strictEqual(log.opened, 3, "That each run gets further does not make it more than three runs.")
    }))
})

describe("c: every item is told once", () => {
  it.effect("the third run is complete", () =>
    Effect.gen(function*() {
      const { read, told } = house(2, 3, 5)
      expectSuccess(yield* read, "The third run is complete, so nothing is broken in the end.")
      assert.deepStrictEqual(told, all, "Every payment must be told once, also those that more than one run gave.")
    }))

  it.effect("the third run breaks as well", () =>
    Effect.gen(function*() {
      const { read, told } = house(2)
      yield* read
      assert.deepStrictEqual(told, [1, 2], "Each of the three runs gave payments 1 and 2: they must be told once.")
    }))
})

describe("d: the last failure is told", () => {
  it.effect("of three", () =>
    Effect.gen(function*() {
      const { log, read } = house(2)
      const exit = yield* read
      check(log.opened <= tooOften, "There is no last failure as long as the source is opened again and again.")
      const lost = expectFailure(exit, "The third run has broken, too, so the stream must fail.")
      assert.strictEqual(lost.run, 3, "The failure must be the one of the third run.")
    }))
})
