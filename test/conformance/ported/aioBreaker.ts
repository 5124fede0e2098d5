import { assert } from "@effect/vitest"
import { Clock, Deferred, Duration, Effect, Exit, Fiber } from "effect"
import { CircuitBreaker, Verdict } from "effect-lifecycle/resilience"
import { Deadline } from "effect-lifecycle/request"
import { TestClock } from "effect/testing"
import { differs, equal, type Topic } from "../ported.ts"
import { firstAttempt, response } from "./responses.ts"

const ok = Effect.succeed("ok")
const bad = Effect.fail("bad")

/** The breaker of the README: 1 s, 1 s, 2 requests, 50 %. */
const make = (trip: Partial<Parameters<typeof CircuitBreaker.failureRate>[0]> = {}) =>
  CircuitBreaker.make({
    name: "payments",
    trip: CircuitBreaker.failureRate({
      failureThreshold: 0.5,
      minimumThroughput: 2,
      samplingDuration: "1 second",
      ...trip
    }),
    breakDuration: "1 second"
  })

type Breaker = CircuitBreaker.CircuitBreaker

const key = "https://payments"
const state = (breaker: Breaker) => Effect.map(breaker.snapshot(key), (snapshot) => snapshot.state)
const tries = (breaker: Breaker, ...calls: ReadonlyArray<Effect.Effect<string, string>>) =>
  Effect.forEach(calls, (call) => Effect.exit(breaker.run(key, call)))
const open = Effect.tap(make(), (breaker) => tries(breaker, bad, bad))

/** Starts a call that ends when told to. */
const held = (breaker: Breaker, end: Effect.Effect<string, string> = ok) =>
  Effect.gen(function*() {
    const gate = yield* Deferred.make<void>()
    const call = Effect.andThen(Deferred.await(gate), end)
    const fiber = yield* Effect.forkChild(Effect.exit(breaker.run(key, call)), { startImmediately: true })
    return { fiber, release: Effect.andThen(Deferred.succeed(gate, undefined), Fiber.join(fiber)) }
  })

/** The same time, but for a wall clock that somebody has set. */
const wallClock = <A, E, R>(millis: number, self: Effect.Effect<A, E, R>) =>
  Effect.updateService(self, Clock.Clock, (clock) => ({
    currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + millis,
    currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now + millis),
    currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe() + BigInt(millis) * 1_000_000n,
    currentTimeNanos: Effect.map(clock.currentTimeNanos, (now) => now + BigInt(millis) * 1_000_000n),
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: clock.monotonicTimeNanos,
    sleep: (duration) => clock.sleep(duration)
  }))

const ran = (exit: Exit.Exit<unknown, unknown>) => Exit.isSuccess(exit) || String(exit.cause).includes("bad")

/** The circuit breaker: when it opens, what it counts, how it recovers. */
export const aioBreaker: Topic = {
  source: "aio-request",
  title: "aio-request: the circuit breaker",
  file: "aioBreaker.ts",
  behaviours: [
    equal("breaker-opens", "opens at two requests in a second of which half have failed", () =>
      Effect.gen(function*() {
        const breaker = yield* make()
        yield* tries(breaker, ok, bad)
        assert.strictEqual(yield* state(breaker), "Open")
      })),
    equal("breaker-minimum", "stays closed below the minimum throughput, whatever fails", () =>
      Effect.gen(function*() {
        const breaker = yield* make({ minimumThroughput: 5 })
        yield* tries(breaker, bad, bad, bad, bad)
        assert.strictEqual(yield* state(breaker), "Closed")
        yield* tries(breaker, bad)
        assert.strictEqual(yield* state(breaker), "Open")
      })),
    equal("breaker-threshold", "stays closed below the failure threshold", () =>
      Effect.gen(function*() {
        const breaker = yield* make()
        yield* tries(breaker, ok, ok, ok, bad, bad)
        assert.strictEqual(yield* state(breaker), "Closed")
        yield* tries(breaker, bad)
        assert.strictEqual(yield* state(breaker), "Open")
      })),
    equal(
      "breaker-success",
      "is not opened by a success, even where it completes the throughput",
      () =>
        Effect.gen(function*() {
          const breaker = yield* make()
          yield* tries(breaker, bad, ok)
          assert.strictEqual(yield* state(breaker), "Closed")
        })
    ),
    equal("breaker-window", "forgets what is older than the sampling duration", () =>
      Effect.gen(function*() {
        const breaker = yield* make()
        yield* tries(breaker, bad)
        yield* TestClock.adjust("1200 millis")
        yield* tries(breaker, bad)
        assert.strictEqual(yield* state(breaker), "Closed")
        yield* TestClock.adjust("500 millis")
        yield* tries(breaker, bad)
        assert.strictEqual(yield* state(breaker), "Open")
      })),
    equal("breaker-refuses", "does not make the call until the break is over", () =>
      Effect.gen(function*() {
        const breaker = yield* open
        yield* TestClock.adjust("999 millis")
        assert.deepStrictEqual((yield* tries(breaker, ok)).map(ran), [false])
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual((yield* tries(breaker, ok)).map(ran), [true])
      })),
    equal(
      "breaker-probe-success",
      "closes after one good probe and starts to count anew",
      () =>
        Effect.gen(function*() {
          const breaker = yield* open
          yield* TestClock.adjust("1 second")
          yield* tries(breaker, ok)
          assert.strictEqual(yield* state(breaker), "Closed")
          yield* tries(breaker, ok, ok, bad)
          assert.strictEqual(yield* state(breaker), "Closed")
        })
    ),
    equal("breaker-probe-failure", "opens again for a whole break after a bad probe", () =>
      Effect.gen(function*() {
        const breaker = yield* open
        yield* TestClock.adjust("1 second")
        yield* tries(breaker, bad)
        assert.strictEqual(yield* state(breaker), "Open")
        yield* TestClock.adjust("999 millis")
        assert.deepStrictEqual((yield* tries(breaker, ok)).map(ran), [false])
      })),
    equal("breaker-no-extension", "is not held open for longer by calls that it refuses", () =>
      Effect.gen(function*() {
        const breaker = yield* open
        yield* TestClock.adjust("500 millis")
        yield* tries(breaker, ok)
        yield* TestClock.adjust("500 millis")
        assert.deepStrictEqual((yield* tries(breaker, ok)).map(ran), [true])
      })),
    equal("breaker-scopes", "keeps one circuit per scope", () =>
      Effect.gen(function*() {
        const breaker = yield* open
        assert.strictEqual(yield* breaker.run("https://users", ok), "ok")
      })),
    equal(
      "breaker-verdict",
      "counts an accepted answer as a success and a rejected one as a failure",
      () =>
        Effect.gen(function*() {
          const breaker = yield* make()
          const call = (status: number) =>
            breaker.run(key, Effect.succeed(response(status)), {
              classify: (exit) => Verdict.outcome(Verdict.http(exit, firstAttempt))
            })
          yield* call(404)
          yield* call(404)
          assert.strictEqual(yield* state(breaker), "Closed")
          yield* call(503)
          yield* call(503)
          assert.strictEqual(yield* state(breaker), "Open")
        })
    ),
    differs("breaker-open-answer", {
      theirs: "answers a synthetic 502 with X-Do-Not-Retry and X-Circuit-Breaker",
      ours: "fails with CircuitOpen, which names the circuit and says when to come back",
      reason: "a made-up status looks like the other side's answer to whoever reads it, in code and in metrics"
    }, () =>
      Effect.gen(function*() {
        const breaker = yield* open
        yield* TestClock.adjust("400 millis")
        const error = yield* Effect.flip(breaker.run(key, ok))
        assert.deepInclude(error, { _tag: "CircuitOpen", name: "payments", key, retryAfterMillis: 600 })
      })),
    differs("breaker-single-probe", {
      theirs: "admits another probe after every further break while the first still runs: four at once were seen",
      ours: "admits as many probes as it has permits, one by default, until they end or their time is up",
      reason: "a service that hangs needs fewer calls, not one more each second",
      rule: "T05"
    }, () =>
      Effect.gen(function*() {
        const breaker = yield* open
        yield* TestClock.adjust("1 second")
        const probe = yield* held(breaker)
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual((yield* tries(breaker, ok)).map(ran), [false])
        yield* probe.release
        assert.strictEqual(yield* state(breaker), "Closed")
      })),
    differs("breaker-exceptions", {
      theirs: "records nothing when the operation raises: ten of ten left the circuit closed",
      ours: "counts a typed failure and a defect as failures",
      reason: "an exception is the commonest form of a failure"
    }, () =>
      Effect.gen(function*() {
        const failing = yield* make()
        yield* tries(failing, bad, bad)
        const dying = yield* make()
        yield* tries(dying, Effect.die("bug"), Effect.die("bug"))
        assert.deepStrictEqual([yield* state(failing), yield* state(dying)], ["Open", "Open"])
      })),
    differs("breaker-cancelled-probe", {
      theirs: "stays half open for the rest of the break when its probe is cancelled",
      ours: "takes the permit back, and lets the next call be the probe",
      reason: "a caller who leaves says nothing about the other side",
      rule: "T05"
    }, () =>
      Effect.gen(function*() {
        const breaker = yield* open
        yield* TestClock.adjust("1 second")
        const probe = yield* held(breaker)
        yield* Fiber.interrupt(probe.fiber)
        assert.deepStrictEqual((yield* tries(breaker, ok)).map(ran), [true])
        assert.strictEqual(yield* state(breaker), "Closed")
      })),
    differs("breaker-epoch", {
      theirs: "lets a call that began before the circuit opened close it when it ends in the half open state",
      ours: "counts a result only for the state in which its call began",
      reason: "a late answer speaks of the time before the break",
      rule: "T04"
    }, () =>
      Effect.gen(function*() {
        const breaker = yield* make()
        const stale = yield* held(breaker)
        yield* tries(breaker, bad, bad)
        yield* TestClock.adjust("1 second")
        const probe = yield* held(breaker, bad)
        yield* stale.release
        assert.strictEqual(yield* state(breaker), "HalfOpen")
        yield* probe.release
        assert.strictEqual(yield* state(breaker), "Open")

        const recovered = yield* make()
        const late = yield* held(recovered, bad)
        yield* tries(recovered, bad, bad)
        yield* TestClock.adjust("1 second")
        yield* tries(recovered, ok)
        yield* late.release
        yield* tries(recovered, bad)
        assert.strictEqual(yield* state(recovered), "Closed")
      })),
    differs("breaker-clock", {
      theirs: "reads the wall clock, so setting the clock opens or closes circuits",
      ours: "reads the monotonic clock",
      reason: "time synchronisation is no event of the other side",
      rule: "T07"
    }, () =>
      Effect.gen(function*() {
        const breaker = yield* open
        const early = yield* wallClock(3_600_000, tries(breaker, ok))
        assert.deepStrictEqual(early.map(ran), [false])
        yield* TestClock.adjust("1 second")
        const over = yield* wallClock(-3_600_000, tries(breaker, ok))
        assert.deepStrictEqual(over.map(ran), [true])
      })),
    differs("breaker-low-time", {
      theirs: "takes its own 408 for lack of time as the success of a probe: it closed without one network call",
      ours: "counts nothing that was decided on this side",
      reason: "no call was made, so nothing was learnt",
      rule: "T06"
    }, () =>
      Effect.gen(function*() {
        const breaker = yield* open
        yield* TestClock.adjust("1 second")
        const spent = Effect.exit(breaker.run(key, Deadline.check.pipe(Effect.as("ok"), Deadline.within(0)), {
          classify: (exit) => Verdict.outcome(Verdict.effect(exit, firstAttempt))
        }))
        yield* spent
        assert.notStrictEqual(yield* state(breaker), "Closed")
        assert.deepStrictEqual((yield* tries(breaker, ok)).map(ran), [true])
      })),
    differs("breaker-hint", {
      theirs: "counts 20 answers of 503 with X-Do-Not-Retry as 20 successes",
      ours: "counts them as failures: the hint is about retries",
      reason: "a service that fails must not be able to keep the circuit closed",
      rule: "T09"
    }, () =>
      Effect.gen(function*() {
        const breaker = yield* make()
        yield* Effect.forEach(
          Array.from({ length: 20 }),
          () =>
            Effect.exit(breaker.run(key, Effect.succeed(response(503, { "x-do-not-retry": "1" })), {
              classify: (exit) => Verdict.outcome(Verdict.httpWith({ trustHints: true })(exit, firstAttempt))
            }))
        )
        assert.strictEqual(yield* state(breaker), "Open")
      })),
    differs("breaker-invalid", {
      theirs: "raises a RuntimeError without the number that is wrong",
      ours: "throws InvalidOption with the option, its value and what is allowed",
      reason: "whoever reads it should not have to read the source",
      rule: "T38"
    }, () =>
      Effect.gen(function*() {
        for (
          const wrong of [
            { failureThreshold: 0 },
            { failureThreshold: Number.NaN },
            { minimumThroughput: 0 },
            { samplingDuration: 0 },
            { windows: 0 }
          ]
        ) {
          const exit = yield* Effect.exit(Effect.suspend(() => make(wrong)))
          assert.include(String(Exit.isFailure(exit) ? exit.cause : ""), Object.keys(wrong).join())
        }
      })),
    differs("breaker-threshold-1", {
      theirs: "refuses a failure threshold of 1",
      ours: "takes it: open when everything fails",
      reason: "it is a sensible wish, and 0.999 would say the same less clearly"
    }, () =>
      Effect.gen(function*() {
        const breaker = yield* make({ failureThreshold: 1 })
        yield* tries(breaker, ok, bad, bad)
        assert.strictEqual(yield* state(breaker), "Closed")
      })),
    differs("breaker-manual", {
      theirs: "cannot be opened or closed by hand",
      ours: "can be isolated for the life of a scope, forced closed and reset",
      reason: "an operator knows of a maintenance before the failures tell"
    }, () =>
      Effect.gen(function*() {
        const breaker = yield* make()
        yield* Effect.scoped(Effect.gen(function*() {
          yield* breaker.isolate(key)
          assert.deepStrictEqual((yield* tries(breaker, ok)).map(ran), [false])
        }))
        assert.deepStrictEqual((yield* tries(breaker, ok)).map(ran), [true])
      })),
    differs("breaker-memory", {
      theirs: "keeps every scope it has ever seen",
      ours: "keeps a limited number of keys, and drops those that are idle",
      reason: "a scope that a caller can choose would otherwise fill the memory"
    }, () =>
      Effect.gen(function*() {
        const breaker = yield* CircuitBreaker.make({
          name: "bounded",
          trip: CircuitBreaker.consecutive(5),
          breakDuration: Duration.seconds(1),
          keys: { maximum: 10 }
        })
        yield* Effect.forEach(Array.from({ length: 100 }, (_, n) => n), (n) => breaker.run(`key-${n}`, ok))
        assert.isAtMost((yield* breaker.keys).length, 10)
      }))
  ]
}
