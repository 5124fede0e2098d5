import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Option } from "effect"
import * as Deadline from "effect-lifecycle/request/Deadline"
import { expectFailure, expectSuccess, time } from "../../support.ts"
import { call, placeOrder, placeOrderWithLibrary, type Services, within } from "./exercise.ts"

const services = (stock: number, payment: number, shipping: number): Services => {
  const slow = (seconds: number, answer: string) => Effect.as(Effect.sleep(`${seconds} seconds`), answer)
  return { stock: slow(stock, "reserved"), payment: slow(payment, "paid"), shipping: slow(shipping, "sent") }
}

const patience = "30 seconds"
const hanging = "The order must be answered, but it hangs."

describe("a: three quick calls are all answered", () => {
  it.effect("1 + 1 + 1 s", () =>
    Effect.gen(function*() {
      const { exit, seconds } = yield* time(placeOrder(services(1, 1, 1)), { patience, sentence: hanging })
      const answers = expectSuccess(exit, "Three calls of 1 s each fit into 5 s and must all be answered.")
      assert.deepStrictEqual(answers, ["reserved", "paid", "sent"], "The answers must come in the order of the calls.")
      assert.strictEqual(seconds, 3, "One call after the other: three calls of 1 s take 3 s.")
    }))
})

describe("b: the whole order ends by 5 s", () => {
  it.effect("3 + 3 s", () =>
    Effect.gen(function*() {
      const { exit, seconds } = yield* time(placeOrder(services(3, 3, 0)), { patience, sentence: hanging })
      expectFailure(exit, "Two calls of 3 s each do not fit into 5 s: the order must fail.")
      assert.strictEqual(seconds, 5, "The order must be given up when its 5 s are over, whichever call is running.")
    }))

  it.effect("the first call never answers", () =>
    Effect.gen(function*() {
      const { seconds } = yield* time(placeOrder({ ...services(0, 0, 0), stock: Effect.never }), {
        patience,
        sentence: "A call that never answers must be given up."
      })
      assert.strictEqual(seconds, 5, "A first call that never answers uses up the 5 s of the whole order.")
    }))

  it.effect("nothing is left when the call begins", () =>
    Effect.gen(function*() {
      const late = Effect.andThen(Effect.sleep("2 seconds"), call("payment", Effect.never)).pipe(within("1 second"))
      const { seconds } = yield* time(late, {
        patience,
        sentence: "A call that begins after its deadline has no time left, so it must not wait."
      })
      assert.isAtMost(seconds, 2, "A call that begins after its deadline must fail at once.")
    }))
})

describe("c: the failure says which call was cut short", () => {
  const cases: ReadonlyArray<readonly [string, Services]> = [
    ["stock", services(9, 1, 1)],
    ["payment", services(3, 3, 1)],
    ["shipping", services(2, 2, 2)]
  ]
  for (const [name, given] of cases) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const { exit } = yield* time(placeOrder(given), { patience, sentence: hanging })
        const failure = expectFailure(exit, `The order must fail while the call "${name}" is running.`)
        assert.strictEqual(failure._tag, "OutOfTime", "The order must fail with OutOfTime.")
        assert.strictEqual(failure.call, name, `The failure must name "${name}", the call that was running at 5 s.`)
      }))
  }
})

describe("d: of two deadlines the earlier one counts", () => {
  it.effect("a caller with less time", () =>
    Effect.gen(function*() {
      const { exit, seconds } = yield* time(within("2 seconds")(placeOrder(services(1, 3, 1))), {
        patience,
        sentence: hanging
      })
      const failure = expectFailure(exit, "The caller's 2 s are over before the second call answers.")
      assert.strictEqual(seconds, 2, "The caller has 2 s, so the order's own 5 s must not widen them.")
      assert.strictEqual(failure.call, "payment", "The failure must name the call that was running at 2 s.")
    }))

  it.effect("a caller with more time", () =>
    Effect.gen(function*() {
      const { seconds } = yield* time(within("1 minute")(placeOrder(services(9, 9, 9))), {
        patience,
        sentence: hanging
      })
      assert.strictEqual(seconds, 5, "The order's own 5 s come before the caller's minute.")
    }))

  it.effect("two orders under one deadline", () =>
    Effect.gen(function*() {
      const both = Effect.andThen(placeOrder(services(1, 1, 1)), placeOrder(services(1, 1, 1))).pipe(
        within("4500 millis")
      )
      const { exit, seconds } = yield* time(both, { patience, sentence: hanging })
      const failure = expectFailure(exit, "Two orders of 3 s do not fit into the caller's 4.5 s.")
      assert.strictEqual(seconds, 4.5, "The second order shares the caller's 4.5 s with the first one.")
      assert.strictEqual(failure.call, "payment", "The failure must name the call that was running at 4.5 s.")
    }))
})

describe("e: the same with the library's Deadline", () => {
  const listening = (seen: Array<number | undefined>): Services => {
    const slow = Effect.gen(function*() {
      seen.push(Option.getOrUndefined(Option.map(yield* Deadline.remaining, Duration.toSeconds)))
      yield* Effect.sleep("2 seconds")
      return "done"
    })
    return { stock: slow, payment: slow, shipping: slow }
  }

  it.effect("it answers", () =>
    Effect.gen(function*() {
      const { exit } = yield* time(placeOrderWithLibrary(services(1, 1, 1)), { patience, sentence: hanging })
      const answers = expectSuccess(exit, "Three calls of 1 s each fit into 5 s and must all be answered.")
      assert.deepStrictEqual(answers, ["reserved", "paid", "sent"], "The answers must come in the order of the calls.")
    }))

  it.effect("it is given up at 5 s, by name", () =>
    Effect.gen(function*() {
      const { exit, seconds } = yield* time(placeOrderWithLibrary(services(3, 3, 0)), { patience, sentence: hanging })
      const failure = expectFailure(exit, "Two calls of 3 s each do not fit into 5 s: the order must fail.")
      assert.strictEqual(seconds, 5, "The order must be given up when its 5 s are over.")
      assert.strictEqual(failure._tag, "OutOfTime", "The library's error must be mapped to OutOfTime.")
      assert.strictEqual(failure.call, "payment", "The failure must name the call that was running at 5 s.")
    }))

  it.effect("each service can read what is left", () =>
    Effect.gen(function*() {
      const seen: Array<number | undefined> = []
      yield* time(placeOrderWithLibrary(listening(seen)), { patience, sentence: hanging })
      assert.deepStrictEqual(seen, [5, 3, 1], "Calls of 2 s each must find 5, 3 and 1 s left in Deadline.remaining.")
    }))

  it.effect("a caller with less time", () =>
    Effect.gen(function*() {
      const seen: Array<number | undefined> = []
      const { seconds } = yield* time(Deadline.within(placeOrderWithLibrary(listening(seen)), "3 seconds"), {
        patience,
        sentence: hanging
      })
      assert.deepStrictEqual(seen, [3, 1], "Under a caller's 3 s, calls of 2 s each must find 3 and 1 s left.")
      assert.strictEqual(seconds, 3, "The caller has 3 s, so the order's own 5 s must not widen them.")
    }))
})
