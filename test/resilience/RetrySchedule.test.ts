import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Option, Random, Schedule, Schema } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { InvalidOption, type LatencyWindow, RetryBudget, RetrySchedule } from "effect-lifecycle/resilience"
import { HttpClient, HttpClientRequest, HttpClientResponse } from "effect/http"
import { TestClock } from "effect/testing"

type AnySchedule = Schedule.Schedule<Duration.Duration>

/** What it waits, up to twenty times, with time standing still. */
const waits = Effect.fnUntraced(function*(schedule: AnySchedule, input?: unknown) {
  const step = yield* Schedule.toStep(schedule)
  const chosen: Array<number> = []
  for (let now = 0; chosen.length < 20; now += chosen.at(-1) ?? 0) {
    const next = yield* Effect.option(step(now, input))
    if (Option.isNone(next)) break
    chosen.push(Duration.toMillis(next.value[1]))
  }
  return chosen
})

const step = (random: number, previousMillis = 0): RetrySchedule.DelayStep => ({ random, previousMillis, nowNanos: 0n })

/** When each attempt began, while everything fails with `error`. */
const starts = Effect.fnUntraced(function*(schedule: AnySchedule, options: {
  readonly error?: unknown
  readonly takes?: Duration.Input
  readonly within?: Duration.Input
} = {}) {
  const at: Array<number> = []
  const attempt = Effect.gen(function*() {
    at.push(Duration.toMillis(Duration.nanos(yield* Effect.clockWith((clock) => clock.monotonicTimeNanos))))
    yield* Effect.sleep(options.takes ?? 0)
    return yield* Effect.fail(options.error)
  })
  const retried = Effect.retry(attempt, schedule)
  const whole = options.within === undefined ? retried : Deadline.within(retried, options.within)
  const fiber = yield* Effect.forkChild(Effect.exit(whole), { startImmediately: true })
  yield* TestClock.adjust("1 hour")
  return { at: at.map((millis) => millis - (at[0] ?? 0)), exit: yield* Fiber.join(fiber) }
})

describe("RetrySchedule", () => {
  it.effect("counts attempts, not retries", () =>
    Effect.gen(function*() {
      const { at } = yield* starts(RetrySchedule.make({ attempts: 3, delay: RetrySchedule.constant(0) }))
      assert.deepStrictEqual(at, [0, 0, 0])
    }))
  it.effect("one attempt is no retry", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* waits(RetrySchedule.make({ attempts: 1 })), [])
    }))
  const Attempts = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 12 }))
  it.effect.prop("never makes more attempts than configured, whatever delay and jitter", [
    Attempts,
    Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1000 }))
  ], ([attempts, millis]) =>
    Effect.gen(function*() {
      const jitters = [RetrySchedule.none, RetrySchedule.full, RetrySchedule.equal, RetrySchedule.decorrelatedJitter]
      for (const jitter of jitters) {
        const { at } = yield* starts(RetrySchedule.make({ attempts, delay: millis, jitter }))
        assert.strictEqual(at.length, attempts)
      }
    }))
  it.effect("serves any number of calls, each with its own count", () =>
    Effect.gen(function*() {
      const schedule = RetrySchedule.make({ attempts: 2, delay: 1 })
      assert.strictEqual((yield* starts(schedule)).at.length, 2)
      assert.strictEqual((yield* starts(schedule)).at.length, 2)
    }))
  it.effect("gives the last failure, not one of its own", () =>
    Effect.gen(function*() {
      const { exit } = yield* starts(RetrySchedule.make({ attempts: 2, delay: 1 }), { error: "down" })
      assert.deepStrictEqual(exit, Exit.fail("down"))
    }))
  it.effect("waits the same with the same seed", () =>
    Effect.gen(function*() {
      const schedule = RetrySchedule.make({ attempts: 9, jitter: RetrySchedule.full })
      const seeded = (seed: string) => waits(schedule).pipe(Random.withSeed(seed))
      assert.deepStrictEqual(yield* seeded("a"), yield* seeded("a"))
      assert.notDeepEqual(yield* seeded("a"), yield* seeded("b"))
    }))

  describe("delays", () => {
    it.effect("knows constant, linear, exponential and Fibonacci delays, capped", () =>
      Effect.gen(function*() {
        const of = (delay: RetrySchedule.Delay) =>
          waits(RetrySchedule.make({ attempts: 6, delay, jitter: RetrySchedule.none, cap: "300 millis" }))
        assert.deepStrictEqual(yield* of(RetrySchedule.constant(70)), [70, 70, 70, 70, 70])
        assert.deepStrictEqual(yield* of(RetrySchedule.linear()), [50, 100, 150, 200, 250])
        assert.deepStrictEqual(yield* of(RetrySchedule.exponential()), [100, 200, 300, 300, 300])
        assert.deepStrictEqual(yield* of(RetrySchedule.fibonacci()), [100, 100, 200, 300, 300])
      }))
    it.effect("by default waits 50, 100, 150 ms, give or take a fifth", () =>
      Effect.gen(function*() {
        const seen = yield* Effect.replicateEffect(waits(RetrySchedule.make({ attempts: 4 })), 200)
        for (const [index, base] of [50, 100, 150].entries()) {
          const column = seen.map((row) => row[index] ?? Number.NaN)
          assert.isTrue(column.every((millis) => millis >= base * 0.8 - 1e-9 && millis <= base * 1.2 + 1e-9))
          assert.isAbove(Math.max(...column), base * 1.1)
          assert.isBelow(Math.min(...column), base * 0.9)
        }
      }).pipe(Random.withSeed("delays")))
    it("exact Fibonacci numbers, as far as anybody waits", () => {
      const delay = RetrySchedule.fibonacci({ base: 1 })
      let [a, b] = [1, 1]
      for (let retry = 1; retry <= 60; retry++) {
        assert.strictEqual(delay(retry, step(0)), a)
        ;[a, b] = [b, a + b]
      }
    })
    it.effect("stays at the cap when a delay has long left every range", () =>
      Effect.gen(function*() {
        const next = RetrySchedule.nextDelay({ delay: RetrySchedule.exponential(), jitter: RetrySchedule.none })
        assert.strictEqual(next(5000, step(0)), 10_000)
        assert.strictEqual(RetrySchedule.exponential({ base: 0 })(5000, step(0)), 0)
      }))
    const Unit = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 0.999_999 }))
    it.prop("decorrelated waits lie between the base and three times the wait before", [
      Schema.Array(Unit).check(Schema.isMinLength(1))
    ], ([randoms]) => {
      const next = RetrySchedule.nextDelay({ delay: RetrySchedule.decorrelated({ base: 100 }), cap: "2 seconds" })
      let previous = 0
      for (const [index, random] of randoms.entries()) {
        const millis = next(index + 1, step(random, previous)) ?? Number.NaN
        assert.isAtLeast(millis, 100)
        assert.isAtMost(millis, Math.min(2000, 3 * Math.max(previous, 100)))
        previous = millis
      }
    })
    it.prop("decorrelated jitter over a constant delay is the decorrelated delay", [
      Unit,
      Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 5000 }))
    ], ([random, previous]) => {
      const jittered = RetrySchedule.nextDelay({ delay: 100, jitter: RetrySchedule.decorrelatedJitter })
      const delayed = RetrySchedule.nextDelay({ delay: RetrySchedule.decorrelated({ base: 100 }) })
      assert.strictEqual(jittered(1, step(random, previous)), delayed(1, step(random, previous)))
    })
    it("percentile times the retry's number, between its bounds", () => {
      const measured = (millis: number | undefined): Pick<LatencyWindow.LatencyWindow, "quantile"> => ({
        quantile: () => millis
      })
      const of = (millis: number | undefined) => {
        const delay = RetrySchedule.percentile(measured(millis), { minimum: 50, maximum: 400 })
        return [delay(1, step(0)), delay(2, step(0))]
      }
      assert.deepStrictEqual(of(undefined), [50, 100])
      assert.deepStrictEqual(of(3), [50, 100])
      assert.deepStrictEqual(of(120), [120, 240])
      assert.deepStrictEqual(of(9000), [400, 800])
    })
    it.effect("a delay that is not a number becomes the cap, and a negative one zero", () =>
      Effect.gen(function*() {
        const of = (delay: RetrySchedule.Delay) =>
          waits(RetrySchedule.make({ attempts: 2, delay, jitter: RetrySchedule.none, cap: 40 }))
        assert.deepStrictEqual(yield* of(() => Number.NaN), [40])
        assert.deepStrictEqual(yield* of(() => -5), [0])
      }))
    it.effect("a delay function that throws ends the call as a defect", () =>
      Effect.gen(function*() {
        const bug = new Error("bug")
        const { exit } = yield* starts(RetrySchedule.make({
          attempts: 3,
          delay: () => {
            throw bug
          }
        }))
        assert.deepStrictEqual(exit, Exit.die(bug))
      }))
  })

  describe("jitter", () => {
    const Unit = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
    it.prop("stays inside its promise", [Unit], ([random]) => {
      const isWithin = (millis: number, least: number, most: number) =>
        assert.isTrue(millis >= least - 1e-9 && millis <= most + 1e-9, `${millis} in ${least}..${most}`)
      assert.strictEqual(RetrySchedule.none(100, random), 100)
      isWithin(RetrySchedule.full(100, random), 0, 100)
      isWithin(RetrySchedule.equal(100, random), 50, 100)
      isWithin(RetrySchedule.plusMinus(0.2)(100, random), 80, 120)
      isWithin(RetrySchedule.plusMinus(0)(100, random), 100, 100)
      isWithin(RetrySchedule.decorrelatedJitter(100, random, 0), 100, 300)
      isWithin(RetrySchedule.decorrelatedJitter(100, random, 400), 100, 1200)
    })
    it.effect("is applied after the cap, so that clients at the cap still differ", () =>
      Effect.gen(function*() {
        const schedule = RetrySchedule.make({ attempts: 20, delay: "1 minute", cap: 100 })
        const seen = yield* waits(schedule)
        assert.isAbove(new Set(seen).size, 10)
        assert.isTrue(seen.every((millis) => millis >= 80 && millis <= 120))
      }))
  })

  describe("Retry-After", () => {
    const asking = (retryAfterMillis: number) => ({ retryAfterMillis })
    const Unit = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 0.999_999 }))
    it.prop("is a minimum, shaken upward only", [Unit], ([random]) => {
      const next = RetrySchedule.nextDelay()
      const millis = next(1, step(random), Duration.seconds(2)) ?? Number.NaN
      assert.isAtLeast(millis, 2000)
      assert.isAtMost(millis, 2400)
      assert.strictEqual(next(1, step(random), Duration.zero), next(1, step(random)))
    })
    it("does not shorten the own wait", () => {
      const next = RetrySchedule.nextDelay({ delay: 500, jitter: RetrySchedule.none })
      assert.strictEqual(next(1, step(0.5), Duration.millis(20)), 500)
    })
    it("ends the call beyond the maximum, instead of asking too early", () => {
      const next = RetrySchedule.nextDelay()
      assert.isUndefined(next(1, step(0), Duration.seconds(31)))
      assert.isUndefined(next(1, step(0), Duration.infinity))
      assert.strictEqual(next(1, step(0), Duration.seconds(30)), 30_000)
      const hour = RetrySchedule.nextDelay({ retryAfter: { maximum: "2 hours", jitter: 0 } })
      assert.strictEqual(hour(1, step(0.9), Duration.hours(1)), 3_600_000)
    })
    it("is shaken less near the deadline, and given up beyond it", () => {
      const next = RetrySchedule.nextDelay()
      const limited = (remainingMillis: number) => next(1, { ...step(0.99), remainingMillis }, Duration.seconds(2))
      assert.strictEqual(limited(2100), 2100)
      assert.strictEqual(limited(2000), 2000)
      assert.isUndefined(limited(1999))
    })
    it.effect("is taken from the failure by the schedule", () =>
      Effect.gen(function*() {
        const schedule = RetrySchedule.make({ attempts: 3, delay: 10, retryAfter: { jitter: 0 } })
        assert.deepStrictEqual((yield* starts(schedule, { error: asking(1000) })).at, [0, 1000, 2000])
        assert.deepStrictEqual((yield* starts(schedule, { error: asking(60_000) })).at, [0])
      }))
  })

  describe("deadline", () => {
    const steady = { attempts: 100, jitter: RetrySchedule.none }
    it.effect("makes no attempt that the fiber's deadline leaves no time for", () =>
      Effect.gen(function*() {
        const schedule = RetrySchedule.make({ ...steady, delay: 300 })
        const { at, exit } = yield* starts(schedule, { within: "1 second", error: "down" })
        assert.deepStrictEqual(at, [0, 300, 600, 900])
        assert.deepStrictEqual(exit, Exit.fail("down"))
      }))
    it.effect("gives the last failure at once, without sleeping to the end", () =>
      Effect.gen(function*() {
        const schedule = RetrySchedule.make({ ...steady, delay: "10 seconds", cap: "10 seconds" })
        const attempt = Effect.fail("down").pipe(Effect.retry(schedule), Deadline.within("5 seconds"))
        assert.strictEqual(yield* Effect.flip(attempt), "down")
      }))
    it.effect("has one of its own, as a time from the start of the call or as a point", () =>
      Effect.gen(function*() {
        const schedule = RetrySchedule.make({ ...steady, delay: 300, deadline: "1 second" })
        assert.deepStrictEqual((yield* starts(schedule, { takes: 100 })).at, [0, 400, 800])
        const now = yield* Effect.clockWith((clock) => clock.monotonicTimeNanos)
        const point = Deadline.make({ duration: "1 second", startedAtNanos: now })
        const fixed = RetrySchedule.make({ ...steady, delay: 300, deadline: point })
        assert.deepStrictEqual((yield* starts(fixed, { takes: 100 })).at, [0, 400, 800])
        assert.deepStrictEqual((yield* starts(fixed, { takes: 100 })).at, [0])
      }))
    it.effect("the earlier of the two counts", () =>
      Effect.gen(function*() {
        const schedule = RetrySchedule.make({ ...steady, delay: 300, deadline: "1 second" })
        assert.strictEqual((yield* starts(schedule, { within: "500 millis" })).at.length, 2)
        assert.strictEqual((yield* starts(schedule, { within: "1 minute" })).at.length, 4)
      }))
    it.effect("leaves the minimum time for the attempt", () =>
      Effect.gen(function*() {
        const of = (minimumTime: Duration.Input) =>
          starts(RetrySchedule.make({ ...steady, delay: 100, deadline: "1 second", minimumTime }))
        assert.strictEqual((yield* of(0)).at.length, 11)
        assert.strictEqual((yield* of(5)).at.length, 10)
        assert.strictEqual((yield* of(500)).at.length, 6)
      }))
    it.effect("a deadline of zero is no retry", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual((yield* starts(RetrySchedule.make({ ...steady, delay: 0, deadline: 0 }))).at, [0])
      }))
  })

  describe("budget", () => {
    it.effect("tells the budget of the call and of each failed attempt, and asks before each retry", () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const note = (line: string) =>
          Effect.sync(() => {
            log.push(line)
          })
        const budget: RetryBudget.RetryBudget = {
          name: "log",
          requested: note("requested"),
          observed: (outcome) => note(outcome),
          tryWithdraw: (kind) => Effect.as(note(`may ${kind}`), log.length < 5),
          balance: Effect.succeed(1)
        }
        yield* starts(RetrySchedule.make({ attempts: 9, delay: 1, budget }))
        assert.deepStrictEqual(log, [
          "requested",
          "failure",
          "may retry",
          "failure",
          "may retry",
          "failure",
          "may retry"
        ])
        log.length = 0
        yield* starts(RetrySchedule.make({ attempts: 1, budget }))
        assert.deepStrictEqual(log, ["requested", "failure"])
      }))
    it.effect("does not pay for a retry that there is no time for", () =>
      Effect.gen(function*() {
        const budget = yield* RetryBudget.ratio({ ratio: 0, minimumPerSecond: 1 })
        yield* starts(RetrySchedule.make({ attempts: 9, delay: 100, deadline: 50, budget }))
        assert.strictEqual(yield* budget.balance, 10)
      }))
  })

  describe("with HttpClient.retryTransient", () => {
    const request = HttpClientRequest.get("https://payments/thing")
    const scripted = (answers: ReadonlyArray<readonly [number, Record<string, string>?]>) => {
      let sent = 0
      const client = HttpClient.make((request) =>
        Effect.sync(() => {
          const [status, headers = {}] = answers[Math.min(sent++, answers.length - 1)] ?? [200]
          return HttpClientResponse.fromWeb(request, new Response(null, { status, headers }))
        })
      )
      return { client, sent: () => sent }
    }
    const run = Effect.fnUntraced(function*(client: HttpClient.HttpClient) {
      const fiber = yield* Effect.forkChild(client.execute(request), { startImmediately: true })
      yield* TestClock.adjust("2 hours")
      return (yield* Fiber.join(fiber)).status
    })
    it.effect("makes no more attempts than configured, and answers with the last response", () =>
      Effect.gen(function*() {
        const { client, sent } = scripted([[503]])
        const schedule = RetrySchedule.make({ attempts: 3, delay: 0 })
        assert.strictEqual(yield* run(client.pipe(HttpClient.retryTransient({ schedule }))), 503)
        assert.strictEqual(sent(), 3)
      }))
    it.effect("pays nothing for a success, and tells the budget of it", () =>
      Effect.gen(function*() {
        const { client, sent } = scripted([[200]])
        const budget = yield* RetryBudget.tokens({ maximum: 10, ratio: 1 })
        yield* budget.observed("failure")
        const schedule = RetrySchedule.make({ attempts: 3, delay: 0, budget })
        const retryOn = "response-only"
        assert.strictEqual(yield* run(client.pipe(HttpClient.retryTransient({ schedule, retryOn }))), 200)
        assert.strictEqual(sent(), 1)
        assert.strictEqual(yield* budget.balance, 5)
      }))
    it.effect("does not wait an hour because the other side says so", () =>
      Effect.gen(function*() {
        const { client, sent } = scripted([[503, { "retry-after": "3600" }]])
        const schedule = RetrySchedule.make({ attempts: 3, delay: 0 })
        assert.strictEqual(yield* run(client.pipe(HttpClient.retryTransient({ schedule }))), 503)
        assert.strictEqual(sent(), 1)
      }))
  })

  it("names the option, the value and what is allowed", () => {
    assert.throws(
      () => RetrySchedule.make({ attempts: Number.NaN }),
      /RetrySchedule.make: attempts must be a whole number from 1 to 10000, got NaN/
    )
    assert.throws(() => RetrySchedule.constant(Number.POSITIVE_INFINITY), /delay must be a finite duration/)
    assert.throws(() => RetrySchedule.plusMinus(2), /share must be from 0 to 1, got 2/)
    assert.throws(() => RetrySchedule.make({ attempts: 2, cap: -1 }), /cap must be a finite duration/)
    assert.throws(() => RetrySchedule.make({ attempts: 2, delay: -1 }), /delay must be a finite duration/)
    assert.throws(() => RetrySchedule.decorrelated({ base: 0 }), /base must be a duration from/)
    assert.throws(() => RetrySchedule.nextDelay({ retryAfter: { jitter: 2 } }), /retryAfter.jitter must be from 0 to 1/)
    assert.throws(
      () => RetrySchedule.percentile({ quantile: () => 1 }, { minimum: 9, maximum: 8 }),
      InvalidOption.InvalidOption
    )
  })
})
