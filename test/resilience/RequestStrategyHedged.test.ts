import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Duration, Effect, Exit, Fiber, Option } from "effect"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Deadline } from "effect-lifecycle/request"
import { Attempt, LatencyWindow, RequestStrategy, type RetryBudget, type Verdict } from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"

interface Answer {
  readonly status: number
  readonly retryAfter?: Duration.Duration
}

const byStatus: Verdict.Classifier<Answer, unknown> = (exit) => {
  if (exit._tag === "Failure") {
    return Cause.hasDies(exit.cause)
      ? { _tag: "Fatal", health: "failure" }
      : { _tag: "Reject", retryAfter: undefined }
  }
  if (exit.value.status === 400) return { _tag: "Fatal", health: "neutral" }
  return exit.value.status < 400 ? { _tag: "Accept" } : { _tag: "Reject", retryAfter: exit.value.retryAfter }
}

type Step =
  | { readonly after: number; readonly status: number; readonly retryAfter?: Duration.Duration }
  | { readonly after: number; readonly fail: string }
  | { readonly after: number; readonly die: string }

const upstream = (...steps: ReadonlyArray<Step>) => {
  const log: Array<string> = []
  const note = (text: string) =>
    Effect.clockWith((clock) => Effect.map(clock.currentTimeMillis, (now) => void log.push(`${now} ${text}`)))
  const attempt = (info: Attempt.Attempt): Effect.Effect<Answer, string> =>
    Effect.gen(function*() {
      yield* note(`${info.number} ${info.kind}`)
      const step = steps[info.number - 1] ?? { after: 0, status: 500 }
      yield* Effect.sleep(step.after)
      if ("fail" in step) return yield* Effect.fail(step.fail)
      if ("die" in step) return yield* Effect.die(step.die)
      return step
    }).pipe(Effect.onInterrupt(() => note(`${info.number} interrupted`)))
  return { attempt, log }
}

const settle = <A, E, R>(effect: Effect.Effect<A, E, R>, within: Duration.Input = "10 minutes") =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
    yield* TestClock.adjust(within)
    return yield* Fiber.join(fiber)
  })

const hedged = (options: Parameters<typeof RequestStrategy.hedged<Answer, unknown>>[0] = {}) =>
  RequestStrategy.hedged({ delay: 100, verdict: byStatus, ...options })

describe("RequestStrategy.hedged", () => {
  it.effect("makes no second attempt when the first one is in time", () =>
    Effect.gen(function*() {
      const { attempt, log } = upstream({ after: 99, status: 200 })
      yield* settle(hedged().run(attempt))
      assert.deepStrictEqual(log, ["0 1 primary"])
    }))

  it.effect("begins the next attempt when those before are late, and interrupts the losers", () =>
    Effect.gen(function*() {
      const { attempt, log } = upstream({ after: 1000, status: 201 }, { after: 1000, status: 202 }, {
        after: 50,
        status: 203
      })
      assert.strictEqual((yield* settle(hedged().run(attempt))).status, 203)
      assert.deepStrictEqual(log, [
        "0 1 primary",
        "100 2 hedge",
        "200 3 hedge",
        "250 1 interrupted",
        "250 2 interrupted"
      ])
    }))

  it.effect("begins the next attempt at once after a rejection or a failure, and the ones after that by their delay", () =>
    Effect.gen(function*() {
      const { attempt, log } = upstream({ after: 30, status: 503 }, { after: 1000, status: 201 }, {
        after: 10,
        status: 200
      })
      yield* settle(hedged().run(attempt))
      assert.deepStrictEqual(log, ["0 1 primary", "30 2 hedge", "130 3 hedge", "140 2 interrupted"])
    }))

  it.effect("does not wait for anything when all attempts fail at once", () =>
    Effect.gen(function*() {
      const { attempt, log } = upstream({ after: 1, fail: "a" }, { after: 1, fail: "b" }, { after: 1, fail: "c" })
      assert.strictEqual(yield* settle(Effect.flip(hedged().run(attempt))), "a")
      assert.deepStrictEqual(log, ["0 1 primary", "1 2 hedge", "2 3 hedge"])
    }))

  it.effect("returns the first real answer when none is accepted", () =>
    Effect.gen(function*() {
      const { attempt } = upstream({ after: 1, fail: "reset" }, { after: 1, status: 502 }, { after: 1, status: 503 })
      assert.strictEqual((yield* settle(hedged().run(attempt))).status, 502)
    }))

  it.effect("lets a running attempt win after another one was fatal, and begins none", () =>
    Effect.gen(function*() {
      const { attempt, log } = upstream({ after: 500, status: 200 }, { after: 50, status: 400 })
      assert.strictEqual((yield* settle(hedged().run(attempt))).status, 200)
      assert.deepStrictEqual(log, ["0 1 primary", "100 2 hedge"])
      const alone = upstream({ after: 10, status: 400 })
      assert.strictEqual((yield* settle(hedged().run(alone.attempt))).status, 400)
      assert.strictEqual(alone.log.length, 1)
    }))

  it.effect("goes on after the defect of an attempt, and reports it when nothing else came", () =>
    Effect.gen(function*() {
      const { attempt, log } = upstream({ after: 10, die: "bug" }, { after: 10, status: 200 })
      assert.strictEqual((yield* settle(hedged().run(attempt))).status, 200)
      assert.deepStrictEqual(log, ["0 1 primary", "10 2 hedge"])
      const all = upstream({ after: 0, die: "bug" }, { after: 0, die: "bug 2" }, { after: 0, die: "bug 3" })
      const exit = yield* Effect.exit(settle(hedged().run(all.attempt)))
      assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) === "bug")
    }))

  it.effect("waits as long as a rejection asks, and closes the race when that is too long", () =>
    Effect.gen(function*() {
      const { attempt, log } = upstream({ after: 10, status: 503, retryAfter: Duration.seconds(2) }, {
        after: 0,
        status: 200
      })
      assert.strictEqual((yield* settle(hedged({ retryAfter: { jitter: 0 } }).run(attempt))).status, 200)
      assert.strictEqual(log[1], "2010 2 hedge")
      const long = upstream({ after: 10, status: 503, retryAfter: Duration.hours(1) }, { after: 0, status: 200 })
      assert.strictEqual((yield* settle(hedged().run(long.attempt))).status, 503)
    }))

  it.effect("finishes the losers' finalizers before the caller goes on", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      const attempt = (info: Attempt.Attempt) =>
        info.number === 1
          ? Effect.never.pipe(
            Effect.onInterrupt(() =>
              Effect.andThen(Effect.sleep("1 second"), Effect.sync(() => order.push("finalized")))
            )
          )
          : Effect.succeed({ status: 200 })
      const call = Effect.tap(hedged().run(attempt), () => Effect.sync(() => order.push("caller")))
      yield* settle(call)
      assert.deepStrictEqual(order, ["finalized", "caller"])
    }))

  it.effect("interrupts every attempt with its caller", () =>
    Effect.gen(function*() {
      const { attempt, log } = upstream({ after: 1000, status: 200 }, { after: 1000, status: 200 })
      const fiber = yield* Effect.forkChild(hedged().run(attempt), { startImmediately: true })
      yield* TestClock.adjust(150)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(log, ["0 1 primary", "100 2 hedge", "150 1 interrupted", "150 2 interrupted"])
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(log.length, 4)
    }))

  it.effect("closes the scopes of losers and leaves the winner's to the caller", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      const delays = [1000, 10]
      const attempt = (info: Attempt.Attempt) =>
        Effect.acquireRelease(
          Effect.sync(() => void order.push(`open ${info.number}`)),
          () => Effect.sync(() => void order.push(`close ${info.number}`))
        ).pipe(Effect.andThen(Effect.sleep(delays[info.number - 1] ?? 0)), Effect.as({ status: 200 }))
      yield* settle(Effect.scoped(Effect.andThen(
        hedged().run(attempt),
        Effect.sync(() => order.push("caller"))
      )))
      assert.deepStrictEqual(order, ["open 1", "open 2", "close 1", "caller", "close 2"])
    }))

  it.effect("discards the answer of a second winner in the same tick, and of every rejected attempt", () =>
    Effect.gen(function*() {
      const discarded: Array<number> = []
      const gate = yield* Deferred.make<void>()
      const attempt = (info: Attempt.Attempt) =>
        Effect.as(info.number === 1 ? Deferred.await(gate) : Deferred.succeed(gate, undefined), {
          status: 200 + info.number
        })
      const discard = (value: Answer) => Effect.sync(() => void discarded.push(value.status))
      const both = hedged({ delay: 0, attempts: 2 }).run(attempt, { discard })
      assert.strictEqual((yield* settle(both)).status, 201)
      assert.deepStrictEqual(discarded, [202])
      const rejected = upstream({ after: 1, status: 502 }, { after: 1, status: 503 }, { after: 1, status: 200 })
      discarded.length = 0
      yield* settle(hedged().run(rejected.attempt, { discard }))
      assert.deepStrictEqual(discarded, [503, 502])
    }))

  it.effect("gives each attempt its own number, so that each can go to another endpoint", () =>
    Effect.gen(function*() {
      const endpoints = ["a", "b", "c"]
      const seen: Array<string | undefined> = []
      const attempt = Effect.flatMap(Attempt.Current, (current) => {
        seen.push(endpoints[Option.getOrThrow(current).number - 1])
        return Effect.never
      })
      const fiber = yield* Effect.forkChild(hedged().run(() => attempt), { startImmediately: true })
      yield* TestClock.adjust(200)
      assert.deepStrictEqual(seen, ["a", "b", "c"])
      yield* Fiber.interrupt(fiber)
    }))

  describe("delay", () => {
    const starts = (delay: Duration.Input | RequestStrategy.HedgeDelay, attempts = 4) =>
      Effect.gen(function*() {
        const { attempt, log } = upstream(...Array.from({ length: 4 }, () => ({ after: 10_000, status: 200 })))
        yield* settle(hedged({ attempts, delay }).run(attempt))
        const times = log.filter((line) => !line.includes("interrupted")).map((line) => Number(line.split(" ")[0]))
        return times.map((time) => time - (times[0] ?? 0))
      })

    it.effect("is the same between all attempts when fixed", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* starts(70), [0, 70, 140, 210])
        assert.deepStrictEqual(yield* starts(0), [0, 0, 0, 0])
      }))

    it.effect("counts from the start of the call when linear, within its jitter", () =>
      Effect.gen(function*() {
        const plain = RequestStrategy.linear({ minimum: 20, step: 50, jitter: 0 })
        assert.deepStrictEqual(yield* starts(plain), [0, 70, 120, 170])
        const [, first = 0, second = 0] = yield* starts(RequestStrategy.linear())
        assert.isTrue(first >= 40 && first <= 60, `first hedge at ${first}`)
        assert.isTrue(second >= 80 && second <= 120, `second hedge at ${second}`)
      }))

    it.effect("that throws, or listens and throws, ends the call and leaves nothing running", () =>
      Effect.gen(function*() {
        const bug = () => {
          throw new Error("bug")
        }
        const offset = (hedge: number) => hedge * 100
        for (const delay of [{ name: "own", offset: bug }, { name: "own", offset, observe: bug }]) {
          let alive = 0
          const discarded: Array<number> = []
          const attempt = (info: Attempt.Attempt) =>
            Effect.as(info.number === 1 ? Effect.never : Effect.void, { status: 200 }).pipe(
              (self) => Effect.andThen(Effect.sync(() => alive++), self),
              Effect.ensuring(Effect.sync(() => alive--))
            )
          const exit = yield* Effect.exit(settle(
            hedged({ delay }).run(attempt, { discard: ({ status }) => Effect.sync(() => void discarded.push(status)) })
          ))
          assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
          assert.strictEqual(alive, 0)
          assert.strictEqual(discarded.length, "observe" in delay ? 1 : 0)
        }
      }))

    it.effect("that is not a number makes no hedge", () =>
      Effect.gen(function*() {
        const { attempt, log } = upstream({ after: 1000, status: 200 })
        yield* settle(hedged({ delay: { name: "own", offset: () => Number.NaN } }).run(attempt))
        assert.strictEqual(log.length, 1)
      }))

    it.effect("hears how long the winner took, and how long losers had run", () =>
      Effect.gen(function*() {
        const samples: Array<RequestStrategy.HedgeSample> = []
        const delay: RequestStrategy.HedgeDelay = {
          name: "own",
          offset: (hedge) => hedge * 100,
          observe: (sample) => samples.push(sample)
        }
        const { attempt } = upstream({ after: 1000, status: 200 }, { after: 30, status: 200 })
        yield* settle(hedged({ delay }).run(attempt, { key: "GET /orders" }))
        assert.deepStrictEqual(samples, [
          { millis: 30, censored: false, nowNanos: 130_000_000n, key: "GET /orders" },
          { millis: 130, censored: true, nowNanos: 130_000_000n, key: "GET /orders" }
        ])
      }))
  })

  describe("percentile", () => {
    const percentile = (options: Parameters<typeof RequestStrategy.percentile>[0] = {}) =>
      RequestStrategy.percentile({
        quantile: 0.9,
        minimum: 5,
        latencies: LatencyWindow.keyed({ minimumSamples: 20 }),
        ...options
      })
    const step = (key?: string) => ({ nowNanos: 0n, random: 0.5, key })

    it("is the minimum times the number of the hedge as long as there are too few samples", () => {
      const delay = percentile()
      assert.deepStrictEqual([1, 2, 3].map((hedge) => delay.offset(hedge, step("a"))), [5, 10, 15])
      assert.strictEqual(RequestStrategy.percentile().offset(2, step()), 100)
    })

    it.effect("follows what the calls of the same key take", () =>
      Effect.gen(function*() {
        const delay = percentile()
        const strategy = hedged({ attempts: 2, delay })
        for (let call = 0; call < 40; call++) {
          yield* settle(strategy.run(() => Effect.as(Effect.sleep(40), { status: 200 }), { key: "a" }), 40)
        }
        assert.approximately(delay.offset(1, step("a")), 40, 2)
        assert.approximately(delay.offset(2, step("a")), 80, 4)
        assert.strictEqual(delay.offset(1, step("b")), 5)
      }))

    it.effect("does not shrink because the losers were interrupted", () =>
      Effect.gen(function*() {
        const delay = percentile({ minimum: 10 })
        const strategy = hedged({ attempts: 2, delay })
        // Every first attempt is slow and every hedge takes 20 ms. Of the winners alone, 20 ms would be the quantile.
        const attempt = (info: Attempt.Attempt) =>
          Effect.as(Effect.sleep(info.number === 1 ? 1000 : 20), { status: 200 })
        for (let call = 0; call < 40; call++) yield* settle(strategy.run(attempt), "2 seconds")
        assert.isAtLeast(delay.offset(1, step()), 28)
      }))
  })

  describe("budget", () => {
    const counting = (tokens: number) => {
      const log: Array<string> = []
      const budget: RetryBudget.RetryBudget = {
        name: "counting",
        requested: Effect.sync(() => void log.push("requested")),
        observed: (outcome) => Effect.sync(() => void log.push(outcome)),
        tryWithdraw: (kind) =>
          Effect.sync(() => {
            log.push(kind)
            return tokens-- > 0
          }),
        balance: Effect.sync(() => tokens)
      }
      return { budget, log }
    }

    it.effect("is asked for every hedge, hears of every attempt once, and ends the race when it is spent", () =>
      Effect.gen(function*() {
        const { budget, log } = counting(1)
        const up = upstream({ after: 1000, status: 200 }, { after: 1000, status: 200 }, { after: 0, status: 200 })
        yield* settle(hedged({ budget }).run(up.attempt))
        assert.deepStrictEqual(log, ["requested", "hedge", "hedge", "success", "neutral"])
        assert.deepStrictEqual(up.log, ["0 1 primary", "100 2 hedge", "1000 2 interrupted"])
      }))

    it.effect("is shared with retries", () =>
      Effect.gen(function*() {
        const { budget, log } = counting(1)
        const fallsBack = RequestStrategy.orElse(
          hedged({ budget, attempts: 2 }),
          RequestStrategy.sequential({ budget, delay: 0, verdict: byStatus })
        )
        const up = upstream()
        yield* settle(fallsBack.run(up.attempt))
        assert.deepStrictEqual(log, ["requested", "failure", "hedge", "failure", "retry"])
        assert.strictEqual(up.log.length, 2)
      }))

    it.effect("pays for each round of untilDeadline once", () =>
      Effect.gen(function*() {
        const { budget, log } = counting(2)
        const up = upstream()
        const base = RequestStrategy.sequential({ attempts: 1, budget, verdict: byStatus })
        yield* settle(RequestStrategy.untilDeadline(base, { budget }).run(up.attempt))
        assert.deepStrictEqual(log, [
          "requested",
          "failure",
          "retry",
          "failure",
          "retry",
          "failure",
          "retry"
        ])
        assert.strictEqual(up.log.length, 3)
      }))
  })

  it.effect("reports every attempt once", () =>
    Effect.gen(function*() {
      const reports: Array<string> = []
      const { attempt } = upstream({ after: 1000, status: 200 }, { after: 50, status: 503 }, { after: 20, status: 200 })
      yield* settle(
        hedged().run(attempt).pipe(Recorder.recordTo((report) => {
          if (report._tag === "AttemptEnded") reports.push(`${report.attempt} ${report.kind} ${report.verdict}`)
        }))
      )
      assert.deepStrictEqual(reports, ["2 hedge reject", "3 hedge accept", "1 primary interrupted"])
    }))

  it.effect("returns the answer it has when the deadline leaves no time for a better one", () =>
    Effect.gen(function*() {
      const { attempt, log } = upstream({ after: 10, status: 503 }, { after: 5000, status: 200 })
      const call = hedged({ attempts: 2 }).run(attempt).pipe(Deadline.within("1 second"))
      assert.strictEqual((yield* settle(call)).status, 503)
      assert.deepStrictEqual(log, ["0 1 primary", "10 2 hedge", "995 2 interrupted"])
    }))

  it.effect("does not miss an attempt that ends while the caller is about to wait", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const attempt = (info: Attempt.Attempt) =>
        info.number === 1
          ? Effect.as(Deferred.await(gate), { status: 503 })
          : Effect.as(Deferred.succeed(gate, undefined), { status: 503 })
      assert.strictEqual((yield* settle(hedged({ delay: 0, attempts: 2 }).run(attempt))).status, 503)
    }))
})
