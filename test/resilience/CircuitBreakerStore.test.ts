import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Duration, Effect, Exit, Fiber, Layer, Option, Schedule, Schema, Stream } from "effect"
import { CircuitBreaker } from "effect/persistence"
import * as CircuitBreakerStore from "effect-lifecycle/resilience/CircuitBreakerStore"
import { InvalidOption } from "effect-lifecycle/resilience/InvalidOption"
import { TestClock } from "effect/testing"

const store = (options?: Partial<CircuitBreakerStore.TimeWindowOptions>) =>
  CircuitBreakerStore.layerStoreTimeWindow({
    samplingDuration: "10 seconds",
    minimumThroughput: 4,
    failureThreshold: 0.5,
    ...options
  })

const breakerOf = (
  options?: Partial<CircuitBreakerStore.TimeWindowOptions>,
  openDuration: Parameters<typeof CircuitBreaker.make>[0]["openDuration"] = "5 seconds"
) =>
  CircuitBreaker.layer({ tripPolicy: CircuitBreakerStore.decidedByStore, openDuration }).pipe(
    Layer.provide(store(options))
  )

const calls = Effect.fnUntraced(function*(pattern: string, key = "k") {
  const breaker = yield* CircuitBreaker.CircuitBreaker
  let said = ""
  for (const step of pattern) {
    const exit = yield* Effect.exit(breaker.execute(step === "f" ? Effect.fail("down") : Effect.void, { key }))
    const error = Option.getOrUndefined(Exit.findErrorOption(exit))
    said += typeof error === "object" ? (error.reason._tag === "CircuitOpen" ? "O" : "H") : step
  }
  return said
})

const state = (key = "k") =>
  Effect.flatMap(CircuitBreaker.CircuitBreaker, (breaker) => Effect.orDie(breaker.state(key)))

const tag = (key = "k") => Effect.map(state(key), (state) => state._tag)

/** A call that runs until the deferred says how it ends. */
const begin = Effect.fnUntraced(function*(key = "k") {
  const breaker = yield* CircuitBreaker.CircuitBreaker
  const end = yield* Deferred.make<void, string>()
  const fiber = yield* Effect.forkChild(breaker.execute(Deferred.await(end), { key }), { startImmediately: true })
  return {
    fiber,
    end: (result: Exit.Exit<void, string>) => Effect.andThen(Deferred.done(end, result), Fiber.await(fiber))
  }
})

describe("CircuitBreakerStore.layerStoreTimeWindow", () => {
  it.effect("opens at the rate and the throughput, and not before either", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* calls("fffo", "few"), "fffo")
      assert.strictEqual(yield* tag("few"), "Closed")
      assert.strictEqual(yield* calls("ooooff", "low"), "ooooff")
      assert.strictEqual(yield* tag("low"), "Closed")
      assert.strictEqual(yield* calls("ooffo"), "ooffO")
      assert.strictEqual(yield* tag(), "Open")
    }).pipe(Effect.provide(breakerOf())))

  it.effect("is not opened by a success, though the rate and the throughput are reached with it", () =>
    Effect.gen(function*() {
      yield* calls("fffo")
      assert.strictEqual(yield* tag(), "Closed")
      yield* calls("f")
      assert.strictEqual(yield* tag(), "Open")
    }).pipe(Effect.provide(breakerOf())))

  it.effect("forgets what is older than the sampling duration", () =>
    Effect.gen(function*() {
      yield* calls("fff")
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* calls("fff"), "fff")
      assert.strictEqual(yield* tag(), "Closed")
      yield* calls("f")
      assert.strictEqual(yield* tag(), "Open")
    }).pipe(Effect.provide(breakerOf())))

  it.effect("still counts what is younger than the sampling duration less one window", () =>
    Effect.gen(function*() {
      yield* calls("fff")
      yield* TestClock.adjust("9 seconds")
      yield* calls("f")
      assert.strictEqual(yield* tag(), "Open")
    }).pipe(Effect.provide(breakerOf())))

  it.effect("does not mind what trip policy it is told", () =>
    Effect.gen(function*() {
      yield* calls("fff")
      assert.strictEqual(yield* tag(), "Closed")
      yield* calls("f")
      assert.strictEqual(yield* tag(), "Open")
    }).pipe(Effect.provide(
      CircuitBreaker.layer({ tripPolicy: CircuitBreaker.consecutive(1), openDuration: "5 seconds" }).pipe(
        Layer.provide(store())
      )
    )))

  it.effect("says how long it stays open, to the millisecond, and lets in whoever has waited so long", () =>
    Effect.gen(function*() {
      yield* calls("ffff")
      yield* TestClock.adjust("2500 micros")
      const open = yield* state()
      assert.isTrue(open._tag === "Open" && Duration.toMillis(open.retryAfter) === 4_998)
      yield* TestClock.adjust("4997 millis")
      assert.strictEqual(yield* calls("o"), "O")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* calls("o"), "o")
      assert.strictEqual(yield* tag(), "Closed")
    }).pipe(Effect.provide(breakerOf())))

  it.effect("half open, runs one probe; its success closes and forgets, its failure opens again", () =>
    Effect.gen(function*() {
      yield* calls("ffff")
      yield* TestClock.adjust("5 seconds")
      const probe = yield* begin()
      assert.strictEqual(yield* calls("oo"), "HH")
      yield* probe.end(Exit.fail("down"))
      assert.strictEqual(yield* calls("o"), "O")
      yield* TestClock.adjust("5 seconds")
      const second = yield* begin()
      yield* second.end(Exit.void)
      assert.strictEqual(yield* tag(), "Closed")
      assert.strictEqual(yield* calls("fff"), "fff")
      assert.strictEqual(yield* tag(), "Closed")
    }).pipe(Effect.provide(breakerOf())))

  it.effect("gives the slot back when the probe is interrupted", () =>
    Effect.gen(function*() {
      yield* calls("ffff")
      yield* TestClock.adjust("5 seconds")
      const probe = yield* begin()
      yield* Fiber.interrupt(probe.fiber)
      const halfOpen = yield* state()
      assert.isTrue(halfOpen._tag === "HalfOpen" && !halfOpen.probing)
      assert.strictEqual(yield* calls("o"), "o")
      assert.strictEqual(yield* tag(), "Closed")
    }).pipe(Effect.provide(breakerOf())))

  it.effect("takes the slot from a probe that hangs, and ignores what becomes of it", () =>
    Effect.gen(function*() {
      yield* calls("ffff")
      yield* TestClock.adjust("5 seconds")
      const hung = yield* begin()
      yield* TestClock.adjust("1999 millis")
      assert.strictEqual(yield* calls("o"), "H")
      yield* TestClock.adjust("1 millis")
      const second = yield* begin()
      assert.strictEqual(yield* calls("o"), "H")
      yield* hung.end(Exit.void)
      assert.strictEqual(yield* tag(), "HalfOpen")
      assert.strictEqual(yield* calls("o"), "H")
      yield* second.end(Exit.void)
      assert.strictEqual(yield* tag(), "Closed")
    }).pipe(Effect.provide(breakerOf({ probe: { maxDuration: "2 seconds" } }))))

  it.effect("ignores the late result of a call that began before the circuit moved", () =>
    Effect.gen(function*() {
      const [first, second, third] = [yield* begin(), yield* begin(), yield* begin()]
      yield* calls("ffff")
      yield* first.end(Exit.void)
      assert.strictEqual(yield* tag(), "Open")
      yield* TestClock.adjust("5 seconds")
      const probe = yield* begin()
      yield* second.end(Exit.void)
      assert.strictEqual(yield* tag(), "HalfOpen")
      yield* probe.end(Exit.void)
      yield* third.end(Exit.fail("down"))
      yield* calls("fff")
      assert.strictEqual(yield* tag(), "Closed")
    }).pipe(Effect.provide(breakerOf())))

  it.effect("keeps the backoff of a schedule, and forgets it after as long closed as last open", () =>
    Effect.gen(function*() {
      const remaining = Effect.map(state(), (s) => s._tag === "Open" ? Duration.toMillis(s.retryAfter) : 0)
      yield* calls("ffff")
      assert.strictEqual(yield* remaining, 1_000)
      yield* TestClock.adjust("1 second")
      yield* calls("f")
      assert.strictEqual(yield* remaining, 2_000)
      yield* TestClock.adjust("2 seconds")
      yield* calls("off")
      yield* TestClock.adjust("1999 millis")
      yield* calls("ff")
      assert.strictEqual(yield* remaining, 4_000)
      yield* TestClock.adjust("4 seconds")
      yield* calls("o")
      yield* TestClock.adjust("4 seconds")
      yield* calls("ffff")
      assert.strictEqual(yield* remaining, 1_000)
    }).pipe(Effect.provide(breakerOf({}, Schedule.exponential("1 second")))))

  it.effect("tells of each move once", () =>
    Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.CircuitBreaker
      const moves = yield* breaker.transitions.pipe(
        Stream.take(5),
        Stream.runCollect,
        Effect.forkChild({ startImmediately: true })
      )
      yield* calls("ffff")
      yield* TestClock.adjust("5 seconds")
      yield* calls("f")
      yield* TestClock.adjust("5 seconds")
      yield* calls("o")
      const seen = (yield* Fiber.join(moves)).map(({ from, to }) => `${from} ${to}`)
      assert.deepStrictEqual(seen, [
        "Closed Open",
        "Open HalfOpen",
        "HalfOpen Open",
        "Open HalfOpen",
        "HalfOpen Closed"
      ])
    }).pipe(Effect.provide(breakerOf())))

  it.effect("keeps an open time without end finite", () =>
    Effect.gen(function*() {
      yield* calls("ffff")
      const open = yield* state()
      assert.isTrue(open._tag === "Open" && Number.isFinite(Duration.toMillis(open.retryAfter)))
    }).pipe(Effect.provide(breakerOf({}, Duration.infinity))))

  it.effect("is not moved by the wall clock", () =>
    Effect.gen(function*() {
      yield* calls("ffff")
      const clock = yield* Clock.Clock
      for (const jump of [-3_600_000, 3_600_000]) {
        const jumped: Clock.Clock = Object.assign(Object.create(clock), {
          currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + jump,
          currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now + jump)
        })
        assert.strictEqual(yield* Effect.provideService(calls("o"), Clock.Clock, jumped), "O")
      }
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* calls("o"), "o")
    }).pipe(Effect.provide(breakerOf())))

  describe("keys", () => {
    it.effect("each have a circuit", () =>
      Effect.gen(function*() {
        yield* calls("ffff", "a")
        assert.strictEqual(yield* calls("o", "b"), "o")
        assert.deepStrictEqual([yield* tag("a"), yield* tag("b"), yield* tag("never")], ["Open", "Closed", "Closed"])
      }).pipe(Effect.provide(breakerOf())))

    it.effect("that are idle are dropped, an open one only after its open time", () =>
      Effect.gen(function*() {
        yield* calls("fff", "closed")
        yield* calls("ffff", "open")
        yield* TestClock.adjust("64 seconds")
        assert.deepStrictEqual([yield* tag("closed"), yield* tag("open")], ["Closed", "Open"])
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* tag("open"), "Closed")
      }).pipe(Effect.provide(breakerOf({ keys: { idleTimeToLive: "1 minute" } }))))

    it.effect("are bounded: the closed one that was called least recently goes first, an open one last", () =>
      Effect.gen(function*() {
        yield* calls("ffff", "open")
        yield* calls("fff", "old")
        yield* calls("fff", "used")
        yield* calls("fff", "late")
        yield* calls("o", "old")
        // One too many: `used` is the least recent of the closed ones.
        yield* calls("o", "new")
        assert.strictEqual(yield* calls("f", "old"), "f")
        assert.strictEqual(yield* tag("old"), "Open")
        assert.strictEqual(yield* tag("open"), "Open")
        yield* calls("f", "used")
        assert.strictEqual(yield* tag("used"), "Closed")
      }).pipe(Effect.provide(breakerOf({ keys: { maximum: 4 } }))))

    it.effect("that are all open make room for a new one, and the result of a dropped one is ignored", () =>
      Effect.gen(function*() {
        yield* calls("ffff", "a")
        yield* calls("ffff", "b")
        assert.strictEqual(yield* calls("o", "c"), "o")
        assert.deepStrictEqual([yield* tag("a"), yield* tag("b")], ["Closed", "Open"])
        const late = yield* begin("d")
        yield* calls("ff", "e")
        yield* late.end(Exit.fail("down"))
        assert.strictEqual(yield* calls("ff", "d"), "ff")
        assert.strictEqual(yield* tag("d"), "Closed")
      }).pipe(Effect.provide(breakerOf({ keys: { maximum: 2 } }))))
  })

  it.effect.prop(
    "opens exactly when a plain list of the calls says so",
    [Schema.Array(Schema.Struct({
      wait: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4_000 })),
      failed: Schema.Boolean
    }))],
    ([steps]) =>
      Effect.gen(function*() {
        let now = 0
        let past: Array<{ readonly bucket: number; readonly failed: boolean }> = []
        for (const { failed, wait } of steps) {
          yield* TestClock.adjust(wait)
          now += wait
          const bucket = Math.floor(now / 1_000)
          past = [...past.filter((call) => call.bucket > bucket - 10), { bucket, failed }]
          yield* calls(failed ? "f" : "o")
          const failures = past.filter((call) => call.failed).length
          const opens = failed && past.length >= 4 && failures / past.length >= 0.5
          assert.strictEqual(yield* tag(), opens ? "Open" : "Closed")
          if (opens) return
        }
      }).pipe(Effect.provide(breakerOf()))
  )

  describe("options without sense are refused when the layer is made", () => {
    const refused: ReadonlyArray<readonly [string, Partial<CircuitBreakerStore.TimeWindowOptions>]> = [
      ["samplingDuration", { samplingDuration: 0 }],
      ["samplingDuration", { samplingDuration: -1 }],
      ["samplingDuration", { samplingDuration: Number.NaN }],
      ["samplingDuration", { samplingDuration: Duration.infinity }],
      ["samplingDuration", { samplingDuration: 1e17 }],
      ["samplingDuration", { samplingDuration: 9, windows: 10 }],
      ["minimumThroughput", { minimumThroughput: 0 }],
      ["minimumThroughput", { minimumThroughput: 1.5 }],
      ["failureThreshold", { failureThreshold: 0 }],
      ["failureThreshold", { failureThreshold: -0 }],
      ["failureThreshold", { failureThreshold: 1.1 }],
      ["failureThreshold", { failureThreshold: Number.NaN }],
      ["windows", { windows: 0 }],
      ["windows", { windows: 1_001 }],
      ["probe.maxDuration", { probe: { maxDuration: 0 } }],
      ["keys.maximum", { keys: { maximum: 0 } }],
      ["keys.idleTimeToLive", { keys: { idleTimeToLive: "9 seconds" } }]
    ]
    for (const [option, options] of refused) {
      it(`${option}: ${JSON.stringify(options)}`, () => {
        assert.throws(() => store(options), InvalidOption, option)
      })
    }
  })
})
