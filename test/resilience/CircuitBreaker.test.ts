import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber, Ref, Schedule } from "effect"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Deadline } from "effect-lifecycle/request"
import { CircuitBreaker, InvalidOption } from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"

const policy = (change: Partial<CircuitBreaker.Policy> = {}): CircuitBreaker.Policy => ({
  name: "db",
  trip: CircuitBreaker.consecutive(2),
  breakDuration: "10 seconds",
  ...change
})
const make = (change: Partial<CircuitBreaker.Policy> = {}) => CircuitBreaker.makeRef(policy(change))
const tag = (circuit: CircuitBreaker.Circuit) => Effect.map(Ref.get(circuit.state), (state) => state._tag)
const fail = (circuit: CircuitBreaker.Circuit) => Effect.exit(circuit.run(Effect.fail("down")))
const open = (circuit: CircuitBreaker.Circuit) => Effect.andThen(fail(circuit), fail(circuit))
const now = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

describe("CircuitBreaker.makeRef", () => {
  it.effect("opens at the limit and leaves the tripping call its own error", () =>
    Effect.gen(function*() {
      const circuit = yield* make()
      yield* fail(circuit)
      assert.strictEqual(yield* Effect.flip(circuit.run(Effect.fail("down"))), "down")
      const refused = yield* Effect.flip(circuit.run(Effect.die("must not run")))
      assert.deepStrictEqual({ ...refused }, {
        _tag: "CircuitOpen",
        name: "db",
        key: "db",
        retryAfterMillis: 10_000,
        isolated: false
      })
      assert.strictEqual(refused.message, "Circuit \"db\" is open; a probe may run in 10000 ms")
    }))
  it.effect("counts defects", () =>
    Effect.gen(function*() {
      const circuit = yield* make()
      yield* Effect.exit(circuit.run(Effect.die("bug")))
      yield* Effect.exit(circuit.run(Effect.sync(() => {
        throw new Error("thrown")
      })))
      assert.strictEqual(yield* tag(circuit), "Open")
    }))
  it.effect("counts no interruption, and neither resets on one", () =>
    Effect.gen(function*() {
      const circuit = yield* make()
      yield* fail(circuit)
      for (let i = 0; i < 3; i++) yield* Effect.flatMap(now(circuit.run(Effect.never)), Fiber.interrupt)
      assert.strictEqual(yield* tag(circuit), "Closed")
      yield* fail(circuit)
      assert.strictEqual(yield* tag(circuit), "Open")
    }))
  it.effect("can run the same guarded effect many times", () =>
    Effect.gen(function*() {
      const circuit = yield* make()
      const call = circuit.run(Effect.fail("down"))
      yield* Effect.exit(call)
      yield* Effect.exit(call)
      assert.strictEqual((yield* Effect.flip(Effect.flip(Effect.exit(call))))._tag, "Failure")
      yield* TestClock.adjust("10 seconds")
      yield* Effect.exit(call)
      assert.deepStrictEqual((yield* circuit.snapshot).counts, {
        success: 0,
        failure: 3,
        neutral: 0,
        rejected: 1,
        slow: 0
      })
    }))
  it.effect("takes a deadline inside for a failure, and one outside for nothing", () =>
    Effect.gen(function*() {
      const circuit = yield* make({ trip: CircuitBreaker.consecutive(1) })
      const outside = yield* now(Effect.exit(circuit.run(Effect.never).pipe(Deadline.within("1 second"))))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(outside)
      assert.strictEqual(yield* tag(circuit), "Closed")
      const inside = yield* now(Effect.exit(circuit.run(Effect.never.pipe(Deadline.within("1 second")))))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(inside)
      assert.strictEqual(yield* tag(circuit), "Open")
    }))
  it.effect("measures slow calls", () =>
    Effect.gen(function*() {
      const circuit = yield* make({
        trip: CircuitBreaker.slowCallRate({
          slowerThan: "1 second",
          slowThreshold: 0.5,
          minimumThroughput: 2,
          samplingDuration: "1 minute"
        })
      })
      for (const duration of ["999 millis", "1001 millis"] as const) {
        const call = yield* now(circuit.run(Effect.sleep(duration)))
        yield* TestClock.adjust(duration)
        yield* Fiber.join(call)
      }
      assert.strictEqual(yield* tag(circuit), "Open")
      assert.strictEqual((yield* circuit.snapshot).counts.slow, 1)
    }))
  it.effect("keeps a window of time for a rate", () =>
    Effect.gen(function*() {
      const circuit = yield* make({
        trip: CircuitBreaker.failureRate({
          failureThreshold: 0.5,
          minimumThroughput: 2,
          samplingDuration: "1 second"
        })
      })
      yield* fail(circuit)
      yield* TestClock.adjust("1 second")
      yield* fail(circuit)
      assert.strictEqual(yield* tag(circuit), "Closed")
      yield* fail(circuit)
      assert.strictEqual(yield* tag(circuit), "Open")
    }))
  describe("classify and isFailure", () => {
    it.effect("let a success be a failure, and a failure a success", () =>
      Effect.gen(function*() {
        const circuit = yield* make()
        const status = (code: number) =>
          circuit.run(Effect.succeed(code), {
            classify: (exit) => Exit.isSuccess(exit) && exit.value < 500 ? "success" : "failure"
          })
        yield* status(503)
        assert.strictEqual(yield* status(503), 503)
        assert.strictEqual(yield* tag(circuit), "Open")
        yield* TestClock.adjust("10 seconds")
        yield* Effect.exit(circuit.run(Effect.fail("not found"), { classify: () => "success" }))
        assert.strictEqual(yield* tag(circuit), "Closed")
      }))
    it.effect("open from the end of the call that tripped, even where it succeeded", () =>
      Effect.gen(function*() {
        const circuit = yield* make({ trip: CircuitBreaker.consecutive(1) })
        const call = yield* now(circuit.run(Effect.sleep("5 seconds"), { classify: () => "failure" }))
        yield* TestClock.adjust("5 seconds")
        yield* Fiber.join(call)
        assert.strictEqual((yield* circuit.snapshot).retryAfterMillis, 10_000)
      }))
    it.effect("are not asked about interruption", () =>
      Effect.gen(function*() {
        const circuit = yield* make({ trip: CircuitBreaker.consecutive(1), isFailure: () => true })
        yield* Effect.flatMap(now(circuit.run(Effect.never, { classify: () => "failure" })), Fiber.interrupt)
        yield* Effect.flatMap(now(circuit.run(Effect.never)), Fiber.interrupt)
        assert.strictEqual(yield* tag(circuit), "Closed")
      }))
    const thrower = () => {
      throw new Error("classifier")
    }
    it.effect("give the permit back when they throw, and leave the call what it was", () =>
      Effect.gen(function*() {
        const byOption = yield* make()
        const byPolicy = yield* make({ isFailure: thrower })
        yield* open(byOption)
        yield* open(byPolicy)
        yield* TestClock.adjust("10 seconds")
        const exit = yield* Effect.exit(byOption.run(Effect.fail("down"), { classify: thrower }))
        assert.deepStrictEqual(exit, Exit.fail("down"))
        assert.deepStrictEqual(yield* fail(byPolicy), Exit.fail("down"))
        assert.deepStrictEqual([yield* tag(byOption), yield* tag(byPolicy)], ["Open", "Open"])
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(yield* byOption.run(Effect.succeed(1), { classify: thrower }), 1)
        assert.strictEqual(yield* tag(byOption), "Closed")
      }))
    it.effect("count nothing when they answer nonsense", () =>
      Effect.gen(function*() {
        const circuit = yield* make()
        yield* fail(circuit)
        // A program without types can answer anything.
        yield* circuit.run(Effect.void, { classify: () => JSON.parse("\"maybe\"") })
        yield* fail(circuit)
        assert.strictEqual(yield* tag(circuit), "Open")
      }))
  })
  describe("probes", () => {
    it.effect("that hang have failed after their time, without a timer", () =>
      Effect.gen(function*() {
        const circuit = yield* make({ probe: { maxDuration: "30 seconds" } })
        yield* open(circuit)
        yield* TestClock.adjust("10 seconds")
        const hung = yield* now(circuit.run(Effect.never))
        yield* TestClock.adjust("29 seconds")
        assert.strictEqual((yield* Effect.flip(circuit.run(Effect.void))).retryAfterMillis, 0)
        yield* TestClock.adjust("1 seconds")
        assert.strictEqual((yield* Effect.flip(circuit.run(Effect.void))).retryAfterMillis, 10_000)
        yield* TestClock.adjust("10 seconds")
        yield* circuit.run(Effect.void)
        assert.strictEqual(yield* tag(circuit), "Closed")
        yield* Fiber.interrupt(hung)
        assert.strictEqual(yield* tag(circuit), "Closed")
      }))
    it.effect("that succeed after their time are the failure they already were", () =>
      Effect.gen(function*() {
        const circuit = yield* make({ probe: { maxDuration: "5 seconds" } })
        yield* open(circuit)
        yield* TestClock.adjust("10 seconds")
        const late = yield* now(circuit.run(Effect.sleep("6 seconds")))
        yield* TestClock.adjust("6 seconds")
        yield* Fiber.join(late)
        const { retryAfterMillis, state } = yield* circuit.snapshot
        assert.deepStrictEqual([state, retryAfterMillis], ["Open", 9000])
      }))
    it.effect("leave no permit behind, wherever they are interrupted", () =>
      Effect.gen(function*() {
        for (let steps = 0; steps < 12; steps++) {
          const circuit = yield* make()
          yield* open(circuit)
          yield* TestClock.adjust("10 seconds")
          const yields = Effect.forEach(Array.from({ length: 8 }), () => Effect.yieldNow, { discard: true })
          const probe = yield* Effect.forkChild(circuit.run(yields))
          for (let i = 0; i < steps; i++) yield* Effect.yieldNow
          yield* Fiber.interrupt(probe)
          assert.strictEqual((yield* circuit.snapshot).probes, 0, `interrupted after ${steps} turns`)
          yield* circuit.run(Effect.void)
          assert.strictEqual(yield* tag(circuit), "Closed", `interrupted after ${steps} turns`)
        }
      }))
    it.effect("give the permit back although a recorder throws", () =>
      Effect.gen(function*() {
        const circuit = yield* make()
        yield* open(circuit)
        yield* TestClock.adjust("10 seconds")
        yield* Effect.exit(
          circuit.run(Effect.never).pipe(Recorder.recordTo(() => {
            throw new Error("recorder")
          }))
        )
        assert.strictEqual((yield* circuit.snapshot).probes, 0)
      }))
  })
  describe("breakDuration as a schedule", () => {
    const openFor = (circuit: CircuitBreaker.Circuit) =>
      Effect.gen(function*() {
        while ((yield* tag(circuit)) !== "Open") yield* fail(circuit)
        return (yield* circuit.snapshot).retryAfterMillis
      })
    const openings = (circuit: CircuitBreaker.Circuit, count: number) =>
      Effect.gen(function*() {
        const seen: Array<number> = []
        for (let i = 0; i < count; i++) {
          seen.push(yield* openFor(circuit))
          yield* TestClock.adjust(seen.at(-1) ?? 0)
          yield* fail(circuit)
        }
        return seen
      })
    it.effect("lasts the n-th delay at the n-th opening in a row", () =>
      Effect.gen(function*() {
        const circuit = yield* make({ breakDuration: Schedule.exponential("1 second") })
        assert.deepStrictEqual(yield* openings(circuit, 4), [1000, 2000, 4000, 8000])
      }))
    it.effect("repeats the last delay of a schedule that ends", () =>
      Effect.gen(function*() {
        const circuit = yield* make({
          breakDuration: Schedule.exponential("1 second").pipe(Schedule.upTo({ times: 2 }))
        })
        assert.deepStrictEqual(yield* openings(circuit, 4), [1000, 2000, 2000, 2000])
      }))
    it.effect("lets a schedule count the time that the circuit would be open", () =>
      Effect.gen(function*() {
        const circuit = yield* make({
          breakDuration: Schedule.exponential("1 second").pipe(Schedule.upTo({ duration: "2 seconds" }))
        })
        assert.deepStrictEqual(yield* openings(circuit, 4), [1000, 2000, 2000, 2000])
      }))
    it.effect("never lasts longer than a day", () =>
      Effect.gen(function*() {
        const circuit = yield* make({ breakDuration: Schedule.exponential("20 hours") })
        assert.deepStrictEqual(yield* openings(circuit, 3), [20 * 3_600_000, 86_400_000, 86_400_000])
      }))
    it.effect("starts again once the circuit stayed closed as long as it was last open", () =>
      Effect.gen(function*() {
        const circuit = yield* make({ breakDuration: Schedule.exponential("1 second") })
        assert.deepStrictEqual(yield* openings(circuit, 2), [1000, 2000])
        yield* TestClock.adjust("4 seconds")
        yield* circuit.run(Effect.void)
        yield* TestClock.adjust("3999 millis")
        assert.strictEqual(yield* openFor(circuit), 8000)
        yield* TestClock.adjust("8 seconds")
        yield* circuit.run(Effect.void)
        yield* TestClock.adjust("8 seconds")
        assert.strictEqual(yield* openFor(circuit), 1000)
      }))
  })
  describe("by hand", () => {
    it.effect("refuses every call while it is isolated, until the last scope closes", () =>
      Effect.gen(function*() {
        const circuit = yield* make()
        yield* Effect.scoped(Effect.gen(function*() {
          yield* circuit.isolate
          yield* Effect.scoped(circuit.isolate)
          const refused = yield* Effect.flip(circuit.run(Effect.void))
          assert.deepStrictEqual([refused.isolated, Number.isFinite(refused.retryAfterMillis)], [true, true])
          assert.match(refused.message, /isolated by hand/)
          assert.deepStrictEqual(
            [(yield* circuit.snapshot).state, (yield* circuit.snapshot).holds],
            ["Isolated", 1]
          )
        }))
        yield* circuit.run(Effect.void)
        assert.strictEqual(yield* tag(circuit), "Closed")
      }))
    it.effect("closes by force, and is as new after a reset", () =>
      Effect.gen(function*() {
        const circuit = yield* make()
        yield* open(circuit)
        yield* circuit.forceClose
        yield* circuit.run(Effect.void)
        assert.deepStrictEqual(
          [(yield* circuit.snapshot).openings, (yield* circuit.snapshot).counts.failure],
          [1, 2]
        )
        yield* circuit.reset
        const { counts, openings } = yield* circuit.snapshot
        assert.deepStrictEqual([openings, counts.failure, counts.success], [0, 0, 0])
      }))
  })
  it.effect("refuses options that make no sense, naming them", () =>
    Effect.gen(function*() {
      const wrong: ReadonlyArray<readonly [string, Partial<CircuitBreaker.Policy>]> = [
        ["breakDuration", { breakDuration: Duration.infinity }],
        ["probe.permits", { probe: { permits: 0 } }],
        ["probe.maxDuration", { probe: { maxDuration: -1 } }]
      ]
      for (const [option, change] of wrong) {
        assert.throws(() => make(change), `CircuitBreaker: ${option} must be`)
      }
      // Whether a schedule has a delay is known when it has run.
      const exit = yield* Effect.exit(make({ breakDuration: Schedule.recurs(0) }))
      assert.include(
        Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "nothing",
        "CircuitBreaker: breakDuration must be"
      )
    }))
})

describe("CircuitBreaker options that make no sense", () => {
  it("say one range for a share, whichever end was missed", () => {
    for (const failureThreshold of [0, -1, 50, Number.NaN]) {
      assert.throws(
        () => CircuitBreaker.countRate({ failureThreshold, minimumThroughput: 1, size: 1 }),
        `CircuitBreaker: failureThreshold must be above 0, up to 1, got ${failureThreshold}`
      )
    }
  })

  it("are refused by name where there is no policy", () => {
    for (const trip of [undefined, null, 5, {}, { _tag: "Never" }]) {
      const given = { name: "db", trip, breakDuration: "1 second" } as never
      for (
        const build of [CircuitBreaker.makeRef, CircuitBreaker.make, CircuitBreaker.limits] as ReadonlyArray<
          (policy: never) => unknown
        >
      ) {
        assert.throws(() => build(given), InvalidOption.InvalidOption, "trip must be a policy such as")
      }
    }
    assert.throws(() => CircuitBreaker.anyOf(undefined as never), InvalidOption.InvalidOption, "policies must be")
  })
})
