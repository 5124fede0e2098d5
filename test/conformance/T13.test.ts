import { assert, describe, it } from "@effect/vitest"
import { Clock, type Duration, Effect, Exit, Fiber, Schema } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { RequestStrategy, RetryBudget, RetrySchedule, Verdict } from "effect-lifecycle/resilience"
import { HttpClientRequest, HttpClientResponse } from "effect/http"
import { TestClock } from "effect/testing"

const request = HttpClientRequest.get("https://payments/thing")
const response = (status: number, headers: Record<string, string> = {}) =>
  HttpClientResponse.fromWeb(request, new Response(null, { status, headers }))

/** Runs it to its end in virtual time. */
const finish = Effect.fnUntraced(function*<A, E>(effect: Effect.Effect<A, E>) {
  const fiber = yield* Effect.forkChild(Effect.exit(effect), { startImmediately: true })
  yield* TestClock.adjust("2 hours")
  return yield* Fiber.join(fiber)
})

const millisNow = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

/** When each attempt began, from the first, and the answer; every attempt gets `answer`. */
const timeline = Effect.fnUntraced(function*(
  strategy: RequestStrategy.RequestStrategy,
  answer: () => ReturnType<typeof response>,
  within: Duration.Input = "1 hour"
) {
  const at: Array<number> = []
  const attempt = () =>
    Effect.gen(function*() {
      at.push(yield* millisNow)
      return answer()
    })
  const call = Deadline.within(strategy.run(attempt, { method: "GET", verdict: Verdict.http }), within)
  const exit = yield* finish(call)
  return { at: at.map((millis) => millis - (at[0] ?? 0)), status: Exit.isSuccess(exit) ? exit.value.status : undefined }
})

/** The number of attempts of a call that ends without any wait. */
const attemptsOf = Effect.fnUntraced(function*(strategy: RequestStrategy.RequestStrategy) {
  let made = 0
  const attempt = () =>
    Effect.sync(() => {
      made++
      return response(500)
    })
  yield* strategy.run(attempt, { method: "GET", verdict: Verdict.http })
  return made
})

describe("T13: retries are bounded by count, deadline and budget, and wait as long as they are asked to", () => {
  describe("500s with zero delay", () => {
    const Budget = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 40 }))
    it.effect.prop("attempts never exceed calls and budget together", [Budget], ([minimum]) =>
      Effect.gen(function*() {
        const budget = yield* RetryBudget.ratio({ ratio: 0.2, minimumPerSecond: minimum / 10 })
        const strategy = RequestStrategy.sequential({ attempts: 3, delay: 0, budget })
        let made = 0
        for (let call = 0; call < 100; call++) {
          made += yield* attemptsOf(strategy)
        }
        assert.strictEqual(made, 100 + Math.min(200, 20 + minimum))
      }))

    it.effect("a strategy, a plain schedule and hedges use up one budget together", () =>
      Effect.gen(function*() {
        const budget = yield* RetryBudget.ratio({ ratio: 0, minimumPerSecond: 1, window: "10 seconds" })
        let made = 0
        const attempt = Effect.suspend(() => {
          made++
          return Effect.fail("500")
        })
        yield* Effect.exit(RequestStrategy.sequential({ attempts: 5, delay: 0, budget }).run(() => attempt))
        assert.strictEqual(made, 5)
        yield* Effect.exit(Effect.retry(attempt, RetrySchedule.make({ attempts: 5, delay: 0, budget })))
        assert.strictEqual(made, 10)
        yield* Effect.exit(RequestStrategy.hedged({ attempts: 5, delay: 0, budget }).run(() => attempt))
        assert.strictEqual(made, 13)
      }))

    it.effect("the gRPC budget of 10 and 0.1 stops at half", () =>
      Effect.gen(function*() {
        const budget = yield* RetryBudget.tokens({ maximum: 10, ratio: 0.1 })
        const strategy = RequestStrategy.sequential({ attempts: 100, delay: 0, budget })
        assert.strictEqual(yield* attemptsOf(strategy), 5)
        assert.strictEqual(yield* attemptsOf(strategy), 1)
      }))

    it.effect("the default budget lets at most 1 + budget through, the floor included", () =>
      Effect.gen(function*() {
        const budget = yield* RetryBudget.ratio()
        const strategy = RequestStrategy.sequential({ attempts: 3, delay: 0, budget })
        let made = 0
        for (let call = 0; call < 6000; call++) {
          made += yield* attemptsOf(strategy)
          yield* TestClock.adjust(10)
        }
        // A minute of 100 calls a second: 20 % and 10 a second, and the ten seconds that may be borrowed at the start.
        assert.isAtMost(made, 6000 * 1.2 + 60 * 10 + 10 * 10)
        assert.isAtLeast(made, 6000 * 1.2)
      }))

    it.effect("without a budget the count is the bound, also until the deadline", () =>
      Effect.gen(function*() {
        const strategy = RequestStrategy.untilDeadline(RequestStrategy.single, { delay: 0, attempts: 50 })
        assert.strictEqual((yield* timeline(strategy, () => response(500), "1 second")).at.length, 50)
      }))
  })

  it("waits by default, and never less than nothing", () => {
    const next = RetrySchedule.nextDelay()
    for (const random of [0, 0.5, 0.999_999]) {
      const wait = next(1, { previousMillis: 0, nowNanos: 0n, random }) ?? 0
      assert.isAtLeast(wait, 40)
    }
  })

  describe("deadline", () => {
    it.effect("no attempt begins after it, and the last real answer is the result", () =>
      Effect.gen(function*() {
        const strategy = RequestStrategy.sequential({ attempts: 100, delay: 300, jitter: RetrySchedule.none })
        const { at, status } = yield* timeline(strategy, () => response(503), "1 second")
        assert.deepStrictEqual(at, [0, 300, 600, 900])
        assert.strictEqual(status, 503)
      }))
  })

  describe("Retry-After", () => {
    const strategy = RequestStrategy.sequential({ attempts: 2, delay: 10 })
    const asking = (value: string) => () => response(503, { "retry-after": value })

    it.effect("is waited for, a little longer, never shorter", () =>
      Effect.gen(function*() {
        for (let n = 0; n < 20; n++) {
          const { at } = yield* timeline(strategy, asking("2"))
          assert.strictEqual(at.length, 2)
          assert.isAtLeast(at[1] ?? 0, 2000)
          assert.isAtMost(at[1] ?? 0, 2400)
        }
      }))
    it.effect("is understood as a date", () =>
      Effect.gen(function*() {
        const answer = () =>
          response(503, { date: "Wed, 21 Oct 2015 07:28:00 GMT", "retry-after": "Wed, 21 Oct 2015 07:28:05 GMT" })
        const { at } = yield* timeline(strategy, answer)
        assert.isAtLeast(at[1] ?? 0, 5000)
        assert.isAtMost(at[1] ?? 0, 6000)
      }))
    it.effect("ends the call at once where the deadline comes first", () =>
      Effect.gen(function*() {
        const { at, status } = yield* timeline(strategy, asking("20"), "10 seconds")
        assert.deepStrictEqual(at, [0])
        assert.strictEqual(status, 503)
      }))
    it.effect("ends the call at once beyond the maximum of 30 seconds", () =>
      Effect.gen(function*() {
        const { at, status } = yield* timeline(strategy, asking("3600"))
        assert.deepStrictEqual(at, [0])
        assert.strictEqual(status, 503)
      }))
    it.effect("is ignored where it cannot be read", () =>
      Effect.gen(function*() {
        const { at } = yield* timeline(strategy, asking("soon"))
        assert.isAtMost(at[1] ?? Number.NaN, 12)
      }))
  })
})
