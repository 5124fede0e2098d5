import { assert } from "@effect/vitest"
import { Deferred, type Duration, Effect, Exit, Fiber, Schema } from "effect"
import { Recorder } from "effect-lifecycle/lifecycle"
import { CircuitBreaker, type Verdict } from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"
import { differs, equal, type Topic } from "../ported.ts"

class Excluded extends Schema.TaggedError<Excluded>()("Excluded", {}) {}
class Broken extends Schema.TaggedError<Broken>()("Broken", {}) {}

type Call = Effect.Effect<string, Excluded | Broken>

const ok: Call = Effect.succeed("ok")
const bad: Call = Effect.fail(new Broken())
const excluded: Call = Effect.fail(new Excluded())

const make = (failures = 3, breakDuration: Duration.Input = "60 seconds", permits = 1) =>
  CircuitBreaker.make({
    name: "requests",
    trip: CircuitBreaker.consecutive(failures),
    breakDuration,
    probe: { permits }
  })

const key = "PrimaryHandler"

/** What counts, with the excluded failure excluded. */
const classify = (exit: Exit.Exit<string, Excluded | Broken | CircuitBreaker.CircuitOpen>): Verdict.Outcome =>
  Exit.isSuccess(exit)
    ? "success"
    : exit.cause.reasons.some((reason) => reason._tag === "Fail" && reason.error._tag === "Excluded")
    ? "neutral"
    : "failure"

const tries = (breaker: CircuitBreaker.CircuitBreaker, ...calls: ReadonlyArray<Call>) =>
  Effect.forEach(calls, (call) =>
    Effect.map(
      Effect.exit(breaker.run(key, call, { classify })),
      (exit) => Exit.isSuccess(exit) ? exit.value : exit.cause.reasons.map((r) => r._tag === "Fail" && r.error._tag)[0]
    ))

const state = (breaker: CircuitBreaker.CircuitBreaker) =>
  Effect.map(breaker.snapshot(key), (snapshot) => snapshot.state)

/** The breaker behind the adapter. */
export const cqrsBreaker: Topic = {
  source: "python-cqrs",
  title: "python-cqrs: the circuit breaker",
  file: "cqrsBreaker.ts",
  behaviours: [
    equal(
      "circuit-consecutive",
      "counts failures in a row; a success starts the count anew",
      () =>
        Effect.gen(function*() {
          const breaker = yield* make(3)
          yield* tries(breaker, bad, bad, ok, bad, bad)
          assert.strictEqual(yield* state(breaker), "Closed")
          yield* tries(breaker, bad)
          assert.strictEqual(yield* state(breaker), "Open")
        })
    ),
    equal(
      "circuit-half-open",
      "tries again with the first call after the break: one success closes, one failure opens",
      () =>
        Effect.gen(function*() {
          const breaker = yield* make(1)
          yield* tries(breaker, bad)
          yield* TestClock.adjust("60 seconds")
          yield* tries(breaker, bad)
          assert.strictEqual(yield* state(breaker), "Open")
          yield* TestClock.adjust("60 seconds")
          yield* tries(breaker, ok)
          assert.strictEqual(yield* state(breaker), "Closed")
        })
    ),
    equal("circuit-per-handler", "keeps one circuit per identifier", () =>
      Effect.gen(function*() {
        const breaker = yield* make(1)
        yield* tries(breaker, bad)
        assert.strictEqual(yield* breaker.run("OtherHandler", ok), "ok")
      })),
    differs("circuit-tripping-call", {
      theirs: "raises its own error instead of the exception for the call that trips it",
      ours: "lets that call fail with its own failure",
      reason: "the caller handles failures by type, and the type was lost",
      rule: "T08"
    }, () =>
      Effect.gen(function*() {
        const breaker = yield* make(2)
        assert.deepStrictEqual(yield* tries(breaker, bad, bad, bad), ["Broken", "Broken", "CircuitOpen"])
      })),
    differs("circuit-excluded", {
      theirs: "takes an excluded exception for a success: it sets the count back to zero",
      ours: "takes it for nothing",
      reason: "a failure that is the caller's fault says nothing of the service",
      rule: "T08"
    }, () =>
      Effect.gen(function*() {
        const breaker = yield* make(3)
        yield* tries(breaker, bad, bad, excluded)
        assert.strictEqual(yield* state(breaker), "Closed")
        yield* tries(breaker, bad)
        assert.strictEqual(yield* state(breaker), "Open")
      })),
    differs("circuit-excluded-probe", {
      theirs: "closes a half open circuit on an excluded exception",
      ours: "takes the permit back and stays half open",
      reason: "nothing has been proved",
      rule: "T08"
    }, () =>
      Effect.gen(function*() {
        const breaker = yield* make(1)
        yield* tries(breaker, bad)
        yield* TestClock.adjust("60 seconds")
        yield* tries(breaker, excluded)
        assert.strictEqual(yield* state(breaker), "HalfOpen")
        assert.deepStrictEqual(yield* tries(breaker, ok), ["ok"])
      })),
    differs("circuit-probes", {
      theirs: "lets every concurrent call through while half open: ten of ten",
      ours: "lets as many through as it has permits",
      reason: "a service that has just come back must not get everything at once",
      rule: "T05"
    }, () =>
      Effect.gen(function*() {
        for (const permits of [1, 3]) {
          const breaker = yield* make(1, "60 seconds", permits)
          yield* tries(breaker, bad)
          yield* TestClock.adjust("60 seconds")
          const gate = yield* Deferred.make<void>()
          let running = 0
          const probe = Effect.andThen(Effect.sync(() => void running++), Effect.andThen(Deferred.await(gate), ok))
          const all = yield* Effect.forEach(
            Array.from({ length: 10 }),
            () => Effect.forkChild(Effect.exit(breaker.run(key, probe)), { startImmediately: true })
          )
          assert.strictEqual(running, permits)
          yield* Deferred.succeed(gate, undefined)
          yield* Effect.forEach(all, Fiber.join)
        }
      })),
    differs("circuit-cancelled", {
      theirs: "stays half open when its probe is cancelled",
      ours: "lets the next call be the probe",
      reason: "a caller who leaves must not keep the others out",
      rule: "T05"
    }, () =>
      Effect.gen(function*() {
        const breaker = yield* make(1)
        yield* tries(breaker, bad)
        yield* TestClock.adjust("60 seconds")
        const probe = yield* Effect.forkChild(breaker.run(key, Effect.never), { startImmediately: true })
        assert.deepStrictEqual(yield* tries(breaker, ok), ["CircuitOpen"])
        yield* Fiber.interrupt(probe)
        assert.deepStrictEqual(yield* tries(breaker, ok), ["ok"])
        assert.strictEqual(yield* state(breaker), "Closed")
      })),
    differs("circuit-zero", {
      theirs: "takes a break of zero for 60 s",
      ours: "takes zero for zero: the next call is the probe",
      reason: "zero is no wish for the default",
      rule: "T38"
    }, () =>
      Effect.gen(function*() {
        const breaker = yield* make(1, 0)
        assert.deepStrictEqual(yield* tries(breaker, bad, ok), ["Broken", "ok"])
      })),
    differs("circuit-events", {
      theirs: "logs each change of state as critical",
      ours: "reports it: whoever listens counts, logs or alerts",
      reason: "a library does not know what is critical"
    }, () =>
      Effect.gen(function*() {
        const moves: Array<string> = []
        const breaker = yield* make(1)
        yield* tries(breaker, bad).pipe(
          Recorder.recordTo((report) => {
            if (report._tag === "CircuitMoved") moves.push(`${report.key}: ${report.from} -> ${report.to}`)
          })
        )
        assert.deepStrictEqual(moves, ["PrimaryHandler: Closed -> Open"])
      }))
  ]
}
