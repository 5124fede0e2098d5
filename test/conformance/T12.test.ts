import { assert, describe, it } from "@effect/vitest"
import { type Cause, type Duration, Effect, Fiber } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { type Attempt, RequestStrategy, RetrySchedule, type Verdict } from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"

interface Answer {
  readonly status: number
}

const verdict: Verdict.Classifier<Answer, unknown> = (exit) =>
  exit._tag === "Success" && exit.value.status < 500 ? { _tag: "Accept" } : { _tag: "Reject", retryAfter: undefined }

const answers = (...answers: ReadonlyArray<readonly [after: number, status: number]>) => {
  const started: Array<number> = []
  const attempt = (info: Attempt.Attempt) => {
    const [after, status] = answers[info.number - 1] ?? [0, 500]
    started.push(info.number)
    return Effect.as(Effect.sleep(after), { status })
  }
  return { attempt, started }
}

const settle = <A, E, R>(effect: Effect.Effect<A, E, R>, within: Duration.Input) =>
  Effect.gen(function*() {
    const fiber = yield* effect.pipe(Deadline.within(within), Effect.forkChild({ startImmediately: true }))
    yield* TestClock.adjust("1 minute")
    return yield* Fiber.join(fiber)
  })

const sequential = (options: Parameters<typeof RequestStrategy.sequential<Answer, unknown>>[0] = {}) =>
  RequestStrategy.sequential({ verdict, delay: 50, jitter: RetrySchedule.none, ...options })

describe("T12: low remaining time never overrides a real response", () => {
  it.effect("a 503 stays a 503 when there is no time for the next attempt", () =>
    Effect.gen(function*() {
      const { attempt, started } = answers([80, 503], [0, 200])
      assert.deepStrictEqual(yield* settle(sequential().run(attempt), 100), { status: 503 })
      assert.deepStrictEqual(started, [1])
    }))

  it.effect("a 503 stays a 503 when the next attempt does not come back in time", () =>
    Effect.gen(function*() {
      for (const split of ["pass", "even"] as const) {
        const { attempt, started } = answers([10, 503], [10_000, 200], [10_000, 200])
        assert.deepStrictEqual(yield* settle(sequential({ split, attempts: 2 }).run(attempt), 1000), { status: 503 })
        assert.deepStrictEqual(started, [1, 2])
      }
    }))

  it.effect("an error of the other side is not replaced by a timeout either", () =>
    Effect.gen(function*() {
      const attempt = (info: Attempt.Attempt): Effect.Effect<Answer, string> =>
        info.number === 1 ? Effect.fail("connection reset") : Effect.never
      assert.strictEqual(yield* Effect.flip(settle(sequential().run(attempt), 1000)), "connection reset")
    }))

  it.effect("a hedge that has no time does not begin, and the reply that is due in time wins", () =>
    Effect.gen(function*() {
      const { attempt, started } = answers([99, 200], [0, 408])
      const hedged = RequestStrategy.hedged({ verdict, attempts: 3, delay: 97 })
      assert.deepStrictEqual(yield* settle(hedged.run(attempt), 100), { status: 200 })
      assert.deepStrictEqual(started, [1])
    }))

  it.effect("until the deadline, the last real answer is the result", () =>
    Effect.gen(function*() {
      const { attempt, started } = answers([10, 500], [10, 502], [10, 503], [10_000, 200])
      const until = RequestStrategy.untilDeadline(RequestStrategy.makeSingle({ verdict }), {
        delay: 10,
        jitter: RetrySchedule.none
      })
      assert.deepStrictEqual(yield* settle(until.run(attempt), 1000), { status: 503 })
      assert.deepStrictEqual(started, [1, 2, 3, 4])
    }))

  it.effect("where nothing real came, the caller is told so with a type", () =>
    Effect.gen(function*() {
      for (const strategy of [sequential(), RequestStrategy.hedged({ verdict, delay: 50 })]) {
        const error: Deadline.DeadlineExceeded | Cause.TimeoutError = yield* Effect.flip(
          settle(strategy.run(() => Effect.never), 1000)
        )
        assert.strictEqual(error._tag, "DeadlineExceeded")
      }
    }))
})
