import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { type Attempt, RequestStrategy, type Verdict } from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"

const verdict: Verdict.Classifier<number, unknown> = (exit) =>
  exit._tag === "Failure"
    ? { _tag: "Fatal", health: "failure" }
    : exit.value === 200
    ? { _tag: "Accept" }
    : { _tag: "Reject", retryAfter: undefined }

const hedged = RequestStrategy.hedged({ verdict, delay: "300 millis" })

const settle = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
    yield* TestClock.adjust("1 minute")
    return yield* Fiber.join(fiber)
  })

describe("T14: hedging is for requests that may be repeated, and its attempts do not harm each other", () => {
  it.effect("a request that is not idempotent is hedged only with a key, also around a single call", () =>
    Effect.gen(function*() {
      const count = (request: RequestStrategy.RequestInfo) =>
        Effect.gen(function*() {
          let attempts = 0
          const attempt = () => Effect.as(Effect.sleep("2 seconds"), ++attempts && 200)
          yield* settle(
            RequestStrategy.single.run(attempt, { ...request, verdict }).pipe(RequestStrategy.withStrategy(
              RequestStrategy.hedged({ delay: "300 millis" })
            ))
          )
          return attempts
        })
      assert.strictEqual(yield* count({ method: "GET" }), 3)
      assert.strictEqual(yield* count({ method: "POST" }), 1)
      assert.strictEqual(yield* count({ method: "POST", hasIdempotencyKey: true }), 3)
    }))

  it.effect("attempt 1 throws and attempt 2 answers 200: the caller gets 200", () =>
    Effect.gen(function*() {
      for (const after of [0, 310]) {
        const attempt = (info: Attempt.Attempt) =>
          info.number === 1
            ? Effect.andThen(Effect.sleep(after), Effect.die(new Error("thrown")))
            : Effect.as(Effect.sleep("50 millis"), 200)
        assert.strictEqual(yield* settle(hedged.run(attempt)), 200)
      }
    }))

  it.effect("a rejected attempt brings the next one forward", () =>
    Effect.gen(function*() {
      const starts: Array<number> = []
      const attempt = (info: Attempt.Attempt) => {
        starts.push(info.elapsedMillis)
        return Effect.succeed(info.number === 1 ? 503 : 200)
      }
      assert.strictEqual(yield* settle(hedged.run(attempt)), 200)
      assert.deepStrictEqual(starts, [0, 0])
    }))

  it.effect("no fiber is alive and every finalizer has run when the caller goes on", () =>
    Effect.gen(function*() {
      let alive = 0
      const attempt = (info: Attempt.Attempt) =>
        Effect.andThen(
          Effect.sync(() => alive++),
          info.number === 3 ? Effect.succeed(200) : Effect.never
        ).pipe(
          Effect.ensuring(Effect.andThen(Effect.sleep("1 second"), Effect.sync(() => alive--)))
        )
      const after = yield* settle(Effect.map(hedged.run(attempt), (status) => ({ status, alive })))
      assert.deepStrictEqual(after, { status: 200, alive: 0 })
    }))
})
