import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { Recorder } from "effect-lifecycle/lifecycle"
import { CircuitBreaker } from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"

const policy = {
  name: "db",
  trip: CircuitBreaker.consecutive(1),
  breakDuration: "1 second",
  probe: { maxDuration: "5 seconds" }
} as const

describe("CircuitBreaker events", () => {
  it.effect("tell every move with its reason", () =>
    Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.make(policy)
      const collected = yield* Effect.forkChild(
        Stream.runCollect(Stream.take(breaker.events, 11)),
        { startImmediately: true }
      )
      const fail = Effect.exit(breaker.run("a", Effect.fail("down")))
      yield* fail
      yield* TestClock.adjust("1 second")
      yield* fail
      yield* TestClock.adjust("1 second")
      yield* Effect.forkChild(breaker.run("a", Effect.never), { startImmediately: true })
      // One call notices both the hung probe and that the break after it is over.
      yield* TestClock.adjust("10 seconds")
      yield* breaker.run("a", Effect.void)
      yield* Effect.scoped(breaker.isolate("a"))
      yield* fail
      yield* breaker.reset("a")
      const moves = (yield* Fiber.join(collected)).map((event) =>
        event._tag === "Moved" ? `${event.from} ${event.to} ${event.reason}` : event._tag
      )
      assert.deepStrictEqual(moves, [
        "Closed Open tripped",
        "Open HalfOpen probing",
        "HalfOpen Open probeFailed",
        "Open HalfOpen probing",
        "HalfOpen Open probeTimedOut",
        "Open HalfOpen probing",
        "HalfOpen Closed recovered",
        "Closed Isolated isolated",
        "Isolated Closed released",
        "Closed Open tripped",
        "Open Closed reset"
      ])
    }))
  it.effect("reach a slow subscriber without loss", () =>
    Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.make(policy)
      const rounds = 2000
      const seen = yield* Effect.forkChild(
        breaker.events.pipe(
          Stream.mapEffect((event) => Effect.as(Effect.sleep(1), event)),
          Stream.take(rounds * 2),
          Stream.runCollect
        ),
        { startImmediately: true }
      )
      for (let i = 0; i < rounds; i++) {
        yield* Effect.exit(breaker.run("a", Effect.fail("down")))
        yield* breaker.forceClose("a")
      }
      yield* TestClock.adjust(rounds * 2)
      assert.strictEqual((yield* Fiber.join(seen)).length, rounds * 2)
    }))
})

describe("CircuitBreaker reports", () => {
  it.effect("every call and every move, to whoever records", () =>
    Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.make({
        ...policy,
        trip: CircuitBreaker.anyOf(
          CircuitBreaker.consecutive(1),
          CircuitBreaker.slowCallRate({
            slowerThan: 10,
            slowThreshold: 1,
            minimumThroughput: 9,
            samplingDuration: "1 minute"
          })
        )
      })
      const reports: Array<Recorder.Report> = []
      yield* Effect.gen(function*() {
        const slow = yield* Effect.forkChild(breaker.run("a", Effect.sleep(11)), { startImmediately: true })
        yield* TestClock.adjust(11)
        yield* Fiber.join(slow)
        yield* Effect.exit(breaker.run("a", Effect.fail("mine"), { classify: () => "neutral" }))
        yield* Effect.exit(breaker.run("a", Effect.fail("down")))
        yield* Effect.exit(breaker.run("a", Effect.void))
      }).pipe(Recorder.recordTo((report) => reports.push(report)))
      const called = (outcome: "success" | "failure" | "neutral" | "rejected", slow = false) => ({
        _tag: "CircuitCalled" as const,
        name: "db",
        key: "a",
        outcome,
        slow
      })
      assert.deepStrictEqual(reports, [
        called("success", true),
        called("neutral"),
        { _tag: "CircuitMoved", name: "db", key: "a", from: "Closed", to: "Open" },
        called("failure"),
        called("rejected")
      ])
    }))
  it.effect("a snapshot shows how near each part of the policy is", () =>
    Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.make({
        ...policy,
        trip: CircuitBreaker.anyOf(
          CircuitBreaker.consecutive(4),
          CircuitBreaker.failureRate({ failureThreshold: 0.9, minimumThroughput: 9, samplingDuration: "1 minute" })
        )
      })
      yield* breaker.run("a", Effect.void)
      yield* Effect.exit(breaker.run("a", Effect.fail("down")))
      assert.deepStrictEqual((yield* breaker.snapshot("a")).figures, [
        { policy: "Consecutive", calls: 1, bad: 1, rate: 0.25 },
        { policy: "FailureRate", calls: 2, bad: 1, rate: 0.5 }
      ])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual((yield* breaker.snapshot("a")).figures.at(1), {
        policy: "FailureRate",
        calls: 0,
        bad: 0,
        rate: 0
      })
    }))
})
