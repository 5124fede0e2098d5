import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schema } from "effect"
import { Recorder } from "effect-lifecycle/lifecycle"
import { InvalidOption, RetryBudget, RetrySchedule } from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"

type Budget = RetryBudget.RetryBudget

const times = <A>(n: number, effect: Effect.Effect<A>) => Effect.replicateEffect(effect, n)

/** How many retries it allows in a row. */
const allowed = (budget: Budget, atMost = 10_000) =>
  Effect.gen(function*() {
    for (let n = 0; n < atMost; n++) if (!(yield* budget.tryWithdraw("retry"))) return n
    return atMost
  })

const failing = Effect.fnUntraced(function*(budget: Budget, attempts: number, calls: number, every = 0) {
  let made = 0
  const schedule = RetrySchedule.make({ attempts, delay: 0, budget })
  const call = Effect.suspend(() => Effect.fail(++made))
  for (let n = 0; n < calls; n++) {
    yield* Effect.exit(Effect.retry(call, schedule))
    if (every > 0) yield* TestClock.adjust(every)
  }
  return made
})

describe("RetryBudget", () => {
  describe("tokens", () => {
    it.effect("10 tokens and a ratio of 0.1: retries stop at half, that is after five failures", () =>
      Effect.gen(function*() {
        const budget = yield* RetryBudget.tokens({ maximum: 10, ratio: 0.1 })
        const asked: Array<boolean> = []
        for (let failure = 0; failure < 6; failure++) {
          yield* budget.observed("failure")
          asked.push(yield* budget.tryWithdraw("retry"))
        }
        assert.deepStrictEqual(asked, [true, true, true, true, false, false])
      }))
    it.effect("ten successes are worth one failure, exactly", () =>
      Effect.gen(function*() {
        const budget = yield* RetryBudget.tokens({ maximum: 10, ratio: 0.1 })
        yield* times(5, budget.observed("failure"))
        assert.isFalse(yield* budget.tryWithdraw("retry"))
        yield* budget.observed("success")
        assert.isTrue(yield* budget.tryWithdraw("hedge"))
        yield* budget.observed("failure")
        yield* times(9, budget.observed("success"))
        assert.strictEqual(yield* budget.balance, 0)
        assert.isFalse(yield* budget.tryWithdraw("retry"))
        yield* budget.observed("success")
        assert.closeTo(yield* budget.balance, 0.1, 1e-12)
      }))
    it.effect("never has more than the maximum and never less than nothing; what is neutral changes nothing", () =>
      Effect.gen(function*() {
        const budget = yield* RetryBudget.tokens({ maximum: 10, ratio: 1 })
        yield* times(100, budget.observed("success"))
        assert.strictEqual(yield* budget.balance, 5)
        yield* times(100, budget.observed("neutral"))
        assert.strictEqual(yield* budget.balance, 5)
        yield* times(100, budget.observed("failure"))
        yield* times(6, budget.observed("success"))
        assert.strictEqual(yield* budget.balance, 1)
      }))
    const Rate = Schema.Finite.check(Schema.isBetween({ minimum: 0.0, maximum: 0.5 }))
    it.effect.prop(
      "goes on with a failure rate below ratio / (1 + ratio), and stops above",
      [Rate],
      ([rate]) =>
        Effect.gen(function*() {
          const edge = 0.1 / 1.1
          if (Math.abs(rate - edge) < 0.01) return
          const budget = yield* RetryBudget.tokens({ maximum: 10, ratio: 0.1 })
          let failures = 0
          for (let n = 1; n <= 3000; n++) {
            const failed = failures < Math.floor(rate * n)
            if (failed) failures++
            yield* budget.observed(failed ? "failure" : "success")
          }
          assert.strictEqual(yield* budget.tryWithdraw("retry"), rate < edge)
        })
    )
    it.effect("takes no digits after the third, as gRPC", () =>
      Effect.gen(function*() {
        const budget = yield* RetryBudget.tokens({ maximum: 4, ratio: 0.5466 })
        yield* times(4, budget.observed("failure"))
        yield* times(4, budget.observed("success"))
        assert.closeTo(yield* budget.balance, 4 * 0.546 - 2, 1e-9)
      }))
  })

  describe("ratio", () => {
    it.effect("allows a fifth of the calls", () =>
      Effect.gen(function*() {
        const budget = yield* RetryBudget.ratio({ ratio: 0.2, minimumPerSecond: 0 })
        assert.strictEqual(yield* allowed(budget), 0)
        yield* times(100, budget.requested)
        assert.strictEqual(yield* budget.balance, 20)
        assert.strictEqual(yield* allowed(budget), 20)
        yield* times(5, budget.requested)
        assert.strictEqual(yield* allowed(budget), 1)
      }))
    it.effect("allows a few a second to those who call seldom, and again when the window has passed", () =>
      Effect.gen(function*() {
        const budget = yield* RetryBudget.ratio({ ratio: 0, minimumPerSecond: 2, window: "10 seconds" })
        assert.strictEqual(yield* allowed(budget), 20)
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual(yield* allowed(budget), 0)
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual(yield* allowed(budget), 20)
      }))
    it.effect("forgets the calls of the window before", () =>
      Effect.gen(function*() {
        const budget = yield* RetryBudget.ratio({ ratio: 0.5, minimumPerSecond: 0, window: "10 seconds" })
        yield* times(10, budget.requested)
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(yield* budget.balance, 0)
        assert.isFalse(yield* budget.tryWithdraw("retry"))
      }))
    it.effect("a ratio of 0 and a minimum of 0 allow nothing", () =>
      Effect.gen(function*() {
        const budget = yield* RetryBudget.ratio({ ratio: 0, minimumPerSecond: 0 })
        yield* times(1000, budget.requested)
        assert.strictEqual(yield* allowed(budget), 0)
      }))
    it.effect("multiplies the load by at most 1 + ratio, and the floor, while everything fails", () =>
      Effect.gen(function*() {
        const budget = yield* RetryBudget.ratio({ ratio: 0.2, minimumPerSecond: 0 })
        assert.isAtMost(yield* failing(budget, 3, 1000, 20), 1200)
        const floored = yield* RetryBudget.ratio({ ratio: 0.2, minimumPerSecond: 1, window: "10 seconds" })
        // Twenty seconds at one a second, and the ten that may be borrowed at the start.
        assert.isAtMost(yield* failing(floored, 3, 1000, 20), 1000 + 200 + 30)
      }))
  })

  describe("concurrency", () => {
    it.effect("lets a fifth of what is under way be retries, and always three", () =>
      Effect.gen(function*() {
        const budget = yield* RetryBudget.concurrency({ ratio: 0.2, minimum: 3 })
        const gate = yield* Deferred.make<void>()
        const call = Effect.andThen(budget.requested, Deferred.await(gate))
        assert.strictEqual(yield* budget.balance, 3)
        const calls = yield* Effect.forEach(
          Array.from({ length: 50 }),
          () => Effect.forkChild(call, { startImmediately: true })
        )
        assert.strictEqual(yield* budget.balance, 10)
        // Each retry is under way as well: 12 of 62 are less than a fifth, 13 of 63 are not.
        assert.strictEqual(yield* allowed(budget), 12)
        yield* Deferred.succeed(gate, undefined)
        yield* Effect.forEach(calls, Fiber.join)
      }))
    it.effect("gets a retry back when its attempt ends", () =>
      Effect.gen(function*() {
        const budget = yield* RetryBudget.concurrency({ ratio: 0, minimum: 1 })
        yield* budget.requested
        yield* budget.observed("failure")
        assert.isTrue(yield* budget.tryWithdraw("retry"))
        assert.isFalse(yield* budget.tryWithdraw("retry"))
        yield* budget.observed("success")
        assert.isTrue(yield* budget.tryWithdraw("retry"))
      }))
    it.effect("gets everything back from a call that was interrupted", () =>
      Effect.gen(function*() {
        const budget = yield* RetryBudget.concurrency({ ratio: 0, minimum: 1 })
        const call = budget.requested.pipe(
          Effect.andThen(budget.observed("failure")),
          Effect.andThen(budget.tryWithdraw("retry")),
          Effect.andThen(Effect.never)
        )
        const fiber = yield* Effect.forkChild(call, { startImmediately: true })
        assert.isFalse(yield* budget.tryWithdraw("retry"))
        yield* Fiber.interrupt(fiber)
        assert.isTrue(yield* budget.tryWithdraw("retry"))
      }))
    it.effect("gets everything back when the same fiber begins its next call", () =>
      Effect.gen(function*() {
        const budget = yield* RetryBudget.concurrency({ ratio: 0, minimum: 1 })
        for (let call = 0; call < 5; call++) {
          yield* budget.requested
          assert.isTrue(yield* budget.tryWithdraw("hedge"))
        }
        assert.strictEqual(yield* budget.balance, 0)
      }))
    it.effect("a ratio of 0 and a minimum of 0 allow nothing", () =>
      Effect.gen(function*() {
        const budget = yield* RetryBudget.concurrency({ ratio: 0, minimum: 0 })
        yield* budget.requested
        assert.isFalse(yield* budget.tryWithdraw("retry"))
      }))
  })

  it.effect("unlimited allows everything, none nothing", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* allowed(RetryBudget.unlimited, 100), 100)
      assert.strictEqual(yield* allowed(RetryBudget.none), 0)
      assert.strictEqual(yield* failing(RetryBudget.none, 5, 10), 10)
    }))

  it.effect("reports each denial with its name and kind", () =>
    Effect.gen(function*() {
      const reports: Array<Recorder.Report> = []
      const budget = yield* RetryBudget.ratio({ name: "payments", ratio: 0, minimumPerSecond: 0 })
      yield* Effect.all([budget.tryWithdraw("retry"), budget.tryWithdraw("hedge")]).pipe(
        Recorder.recordTo((report) => {
          reports.push(report)
        })
      )
      assert.deepStrictEqual(reports, [
        { _tag: "BudgetDenied", name: "payments", kind: "retry" },
        { _tag: "BudgetDenied", name: "payments", kind: "hedge" }
      ])
    }))

  it.effect("reports what it paid for, and what is left then", () =>
    Effect.gen(function*() {
      const reports: Array<Recorder.Report> = []
      const budget = yield* RetryBudget.ratio({ name: "payments", ratio: 0, minimumPerSecond: 1, window: "3 seconds" })
      yield* Effect.all([budget.tryWithdraw("retry"), budget.tryWithdraw("hedge")]).pipe(
        Recorder.recordTo((report) => {
          reports.push(report)
        })
      )
      assert.deepStrictEqual(reports, [
        { _tag: "BudgetSpent", name: "payments", kind: "retry", left: 2 },
        { _tag: "BudgetSpent", name: "payments", kind: "hedge", left: 1 }
      ])
    }))

  it.effect("is shared: two clients that fail use up one budget", () =>
    Effect.gen(function*() {
      const budget = yield* RetryBudget.tokens({ maximum: 10, ratio: 0.1 })
      yield* failing(budget, 3, 10)
      assert.strictEqual(yield* failing(budget, 3, 10), 10)
    }))

  it.effect("credit tells it of successes, so that a plain schedule can refill it", () =>
    Effect.gen(function*() {
      const budget = yield* RetryBudget.tokens({ maximum: 10, ratio: 0.1 })
      yield* failing(budget, 3, 10)
      yield* times(200, RetryBudget.credit(Effect.void, budget))
      assert.strictEqual(yield* budget.balance, 5)
      yield* Effect.exit(RetryBudget.credit(Effect.fail("e"), budget))
      assert.strictEqual(yield* budget.balance, 5)
    }))

  describe("keyed", () => {
    it.effect("keeps one budget for each key, and never more than the maximum", () =>
      Effect.gen(function*() {
        const budgets = yield* RetryBudget.keyed({ make: (name) => RetryBudget.tokens({ name }), maximum: 2 })
        const a = yield* budgets.get("a")
        assert.strictEqual(a.name, "a")
        yield* times(10, a.observed("failure"))
        yield* budgets.get("b")
        assert.strictEqual(yield* budgets.get("a"), a)
        yield* budgets.get("c")
        assert.strictEqual(yield* budgets.size, 2)
        assert.strictEqual(yield* budgets.get("a"), a)
        assert.isTrue(yield* Effect.flatMap(budgets.get("b"), (b) => b.tryWithdraw("retry")))
      }))
    it.effect("makes one for callers who come at the same time", () =>
      Effect.gen(function*() {
        const make = () => Effect.delay(RetryBudget.tokens(), 10)
        const budgets = yield* RetryBudget.keyed({ make })
        const both = yield* Effect.forkChild(
          Effect.all([budgets.get("a"), budgets.get("a")], { concurrency: 2 }),
          { startImmediately: true }
        )
        yield* TestClock.adjust(10)
        const [one, other] = yield* Fiber.join(both)
        assert.strictEqual(one, other)
      }))
  })

  it("refuses options that make no sense", () => {
    const wrong = [
      () => RetryBudget.tokens({ maximum: 0 }),
      () => RetryBudget.tokens({ maximum: 1001 }),
      () => RetryBudget.tokens({ ratio: 0 }),
      () => RetryBudget.tokens({ ratio: Number.NaN }),
      () => RetryBudget.ratio({ ratio: -0.1 }),
      () => RetryBudget.ratio({ minimumPerSecond: Number.POSITIVE_INFINITY }),
      () => RetryBudget.ratio({ window: 0 }),
      () => RetryBudget.concurrency({ ratio: 1.1 }),
      () => RetryBudget.concurrency({ minimum: 0.5 }),
      () => RetryBudget.keyed({ make: () => RetryBudget.tokens(), maximum: 0 })
    ]
    for (const make of wrong) assert.throws(make, InvalidOption.InvalidOption)
  })
})
