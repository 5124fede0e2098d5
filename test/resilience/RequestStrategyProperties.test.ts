import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Random, Schema } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { type Attempt, RequestStrategy, RetrySchedule, type Verdict } from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"

const Outcome = Schema.Struct({
  is: Schema.Literals(["accept", "reject", "fatal", "fail", "die"]),
  after: Schema.Literals([0, 1, 30, 70, 400, 5000])
})

class Rejected {
  readonly verdict: Verdict.Verdict
  constructor(verdict: Verdict.Verdict) {
    this.verdict = verdict
  }
}

const verdict: Verdict.Classifier<Rejected, unknown> = (exit) =>
  exit._tag === "Success" ? exit.value.verdict : { _tag: "Reject", retryAfter: undefined }

const verdicts = {
  accept: { _tag: "Accept" },
  reject: { _tag: "Reject", retryAfter: undefined },
  fatal: { _tag: "Fatal", health: "failure" }
} as const

const strategies = (attempts: number) => {
  const one = RequestStrategy.makeSingle({ verdict })
  const sequential = RequestStrategy.sequential({ attempts, verdict, split: "even" })
  const hedged = RequestStrategy.hedged({ attempts, verdict, delay: "50 millis" })
  return {
    one,
    sequential,
    hedged,
    both: RequestStrategy.orElse(hedged, sequential),
    until: RequestStrategy.untilDeadline(hedged, { attempts: attempts + 1, delay: 0, jitter: RetrySchedule.none }),
    nested: RequestStrategy.orElse(one, RequestStrategy.untilDeadline(sequential, { attempts: 4 })),
    bounded: RequestStrategy.untilDeadline(RequestStrategy.orElse(hedged, hedged), { attempts })
  }
}

describe("RequestStrategy, whatever the attempts come to", () => {
  it.effect.prop(
    "makes no more attempts than configured, repeats no POST, and leaves nothing running",
    [
      Schema.Array(Outcome),
      Schema.Literals(["one", "sequential", "hedged", "both", "until", "nested", "bounded"]),
      Schema.Literals([1, 2, 3, 5]),
      Schema.Literals(["GET", "PUT", "POST"]),
      Schema.Literals([3, 60, 450, 1_000_000])
    ],
    ([outcomes, kind, attempts, method, deadline]) =>
      Effect.gen(function*() {
        let made = 0
        const numbers: Array<number> = []
        let running = 0
        let left = 0
        let afterEnd = 0
        let ended = false
        const attempt = (info: Attempt.Attempt) =>
          Effect.gen(function*() {
            made++
            numbers.push(info.number)
            if (ended) afterEnd++
            const outcome = outcomes[info.number - 1] ?? { is: "reject", after: 0 }
            yield* Effect.sleep(outcome.after)
            if (outcome.is === "fail") return yield* Effect.fail("failed")
            if (outcome.is === "die") return yield* Effect.die("bug")
            return new Rejected(verdicts[outcome.is])
          }).pipe(
            (self) => Effect.andThen(Effect.sync(() => running++), self),
            Effect.ensuring(Effect.sync(() => running--))
          )
        const strategy = strategies(attempts)[kind]
        const fiber = yield* strategy.run(attempt, { method }).pipe(
          Deadline.within(deadline),
          Effect.exit,
          Effect.tap(() =>
            Effect.sync(() => {
              ended = true
              left = running
            })
          ),
          Effect.forkChild({ startImmediately: true })
        )
        yield* TestClock.adjust("1 hour")
        const exit = yield* Fiber.join(fiber)
        assert.deepStrictEqual(numbers, numbers.map((_, index) => index + 1))
        assert.isAtMost(made, strategy.describe.attempts)
        if (method === "POST") assert.isAtMost(made, 1)
        if (deadline < 5) assert.strictEqual(made, 0)
        assert.strictEqual(left, 0, "an attempt outlived the call")
        assert.strictEqual(afterEnd, 0, "an attempt began after the call")
        if (exit._tag === "Success" && exit.value.verdict._tag !== "Accept") {
          const accepted = outcomes.slice(0, made).filter(({ after, is }) => is === "accept" && after === 0)
          assert.strictEqual(accepted.length, 0, "an accepted outcome was there and another one was returned")
        }
      })
  )
})

describe("RequestStrategy.hedged, in numbers", () => {
  const calls = 5000
  const seed = "the tail at scale"
  const delay = 10

  // 95 % of the answers take 2 ms and 5 % take 60 ms on average, both exponential.
  const survival = (t: number) => 0.95 * Math.exp(-t / 2) + 0.05 * Math.exp(-t / 60)
  const hedgedSurvival = (t: number) => t < delay ? survival(t) : survival(t) * survival(t - delay)
  const quantile = (q: number) => {
    let [low, high] = [0, 10_000]
    for (let i = 0; i < 100; i++) {
      const middle = (low + high) / 2
      if (hedgedSurvival(middle) > 1 - q) low = middle
      else high = middle
    }
    return high
  }
  const draw = Effect.gen(function*() {
    const mean = (yield* Random.next) < 0.95 ? 2 : 60
    return -mean * Math.log(1 - (yield* Random.next))
  })

  it.effect(`follows the closed form S(t) S(t - d) over ${calls} calls, seed "${seed}"`, () =>
    Effect.gen(function*() {
      let attempts = 0
      const times: Array<number> = []
      const strategy = RequestStrategy.hedged({ attempts: 2, delay, verdict: () => ({ _tag: "Accept" }) })
      const attempt = () => {
        attempts++
        return Effect.flatMap(draw, Effect.sleep)
      }
      const call = Effect.flatMap(Effect.timed(strategy.run(attempt)), ([time]) =>
        Effect.sync(() => void times.push(Duration.toMillis(time))))
      const fiber = yield* Effect.forEach(Array.from({ length: calls }), () =>
        call, { concurrency: "unbounded", discard: true }).pipe(
          Random.withSeed(seed),
          Effect.forkChild({ startImmediately: true })
        )
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      assert.strictEqual(times.length, calls)

      // Four standard deviations of a binomial count: one seed in 15,000 would fail by chance, and this one is fixed.
      const inBand = (count: number, p: number, what: string) => {
        const band = 4 * Math.sqrt(calls * p * (1 - p))
        assert.isAtMost(Math.abs(count - calls * p), band, `${what}: ${count} of ${calls}, expected ${calls * p}`)
      }
      for (const q of [0.5, 0.9, 0.99, 0.999]) {
        const limit = quantile(q)
        inBand(
          times.filter((time) =>
            time > limit
          ).length,
          1 - q,
          `slower than ${limit.toFixed(2)} ms (p${q * 100})`
        )
      }
      inBand(attempts - calls, survival(delay), "hedges")
    }))
})
