import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Random, Schema } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { Bulkhead, InvalidOption } from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"

const busy = (state: Bulkhead.LimitState, millis: number, dropped = false): Bulkhead.Sample => ({
  millis,
  inFlight: Math.floor(state.limit),
  dropped,
  random: 0.5
})
const times = <State extends Bulkhead.LimitState>(
  algorithm: Bulkhead.Algorithm<State>,
  from: State,
  count: number,
  sample: (state: State) => Bulkhead.Sample
): State => {
  let state = from
  for (let i = 0; i < count; i++) state = algorithm.update(state, sample(state))
  return state
}

describe("Bulkhead.gradient", () => {
  const gradient = Bulkhead.gradient()
  it("starts with Gradient2's figures", () => {
    assert.deepStrictEqual(gradient.initial, { limit: 20, longMillis: 0, samples: 0 })
    // 20 * 0.8 + (20 * 1 + 4) * 0.2
    assert.closeTo(gradient.update(gradient.initial, busy(gradient.initial, 100)).limit, 20.8, 1e-9)
  })
  it("grows to the maximum while calls stay fast and the limit is used", () => {
    assert.strictEqual(times(gradient, gradient.initial, 500, (state) => busy(state, 100)).limit, 200)
  })
  it("does not grow while less than half of the limit is used", () => {
    const state = times(gradient, gradient.initial, 500, () => ({ ...busy(gradient.initial, 100), inFlight: 9 }))
    assert.strictEqual(state.limit, 20)
  })
  it("averages ten calls evenly, then exponentially over the window", () => {
    let state = gradient.initial
    for (let i = 1; i <= 10; i++) state = gradient.update(state, { ...busy(state, i * 10), inFlight: 1 })
    assert.closeTo(state.longMillis, 55, 1e-9)
    state = gradient.update(state, { ...busy(state, 100), inFlight: 1 })
    assert.closeTo(state.longMillis, 55 + (100 - 55) * 2 / 601, 1e-9)
  })
  it("shrinks while calls take three times as long, by half of the smoothing at most", () => {
    const grown = times(gradient, gradient.initial, 500, (state) => busy(state, 100))
    const once = gradient.update(grown, busy(grown, 300))
    // 200 * 0.8 + (200 * 0.5 + 4) * 0.2
    assert.closeTo(once.limit, 180.8, 1e-9)
    assert.isBelow(times(gradient, grown, 20, (state) => busy(state, 300)).limit, 40)
  })
  it("forgets a long time of load quickly once calls are fast again", () => {
    const loaded = times(gradient, gradient.initial, 2000, (state) => busy(state, 1000))
    const calm = times(gradient, loaded, 30, (state) => busy(state, 100))
    assert.isBelow(calm.longMillis, 250)
  })
  it("counts a drop without learning from its time", () => {
    const state = times(gradient, gradient.initial, 20, (state) => busy(state, 100))
    const dropped = gradient.update(state, busy(state, 1, true))
    assert.strictEqual(dropped.longMillis, state.longMillis)
    assert.closeTo(dropped.limit, state.limit * 0.9, 1e-9)
  })
})

describe("Bulkhead.vegas", () => {
  const vegas = Bulkhead.vegas()
  it("takes the first and every shorter time for the time without a queue", () => {
    const first = vegas.update(vegas.initial, busy(vegas.initial, 100))
    assert.strictEqual(first.shortestMillis, 100)
    assert.strictEqual(vegas.update(first, busy(first, 90)).shortestMillis, 90)
  })
  it("grows fast without a queue, slowly with a short one, stays, and shrinks with a long one", () => {
    // log10 of 100 is 2: alpha 6, beta 12, threshold 2.
    const at = (millis: number) => {
      const state = { limit: 100, shortestMillis: 100, sinceProbe: 0, probeJitter: 1 }
      return vegas.update(state, busy(state, millis)).limit
    }
    // The queue is 100 * (1 - 100 / millis), rounded up.
    assert.deepStrictEqual([100, 102, 105, 110, 115].map(at), [112, 112, 102, 100, 98])
  })
  it("settles between 3 and 6 calls above what the other side can do at once", () => {
    const served = (state: Bulkhead.VegasState) => busy(state, 100 * Math.max(1, state.limit / 10))
    const start = { ...Bulkhead.vegas({ initial: 5 }).initial, probeJitter: 1 }
    const { limit } = times(vegas, start, 150, served)
    assert.isAtLeast(limit, 13)
    assert.isAtMost(limit, 17)
  })
  it("measures the shortest time anew after its number of calls, and draws when the next probe is due", () => {
    const start = { limit: 1, shortestMillis: 10, sinceProbe: 0, probeJitter: 0.5 }
    const before = times(vegas, start, 14, () => ({ millis: 50, inFlight: 0, dropped: false, random: 0.2 }))
    assert.strictEqual(before.shortestMillis, 10)
    const probed = vegas.update(before, { millis: 50, inFlight: 0, dropped: false, random: 0.2 })
    assert.deepStrictEqual(probed, { limit: 1, shortestMillis: 50, sinceProbe: 0, probeJitter: 0.6 })
  })
  it("lowers the limit for a drop, whose time never counts", () => {
    const state = vegas.update(vegas.initial, busy(vegas.initial, 100))
    const dropped = vegas.update(state, busy(state, 1, true))
    assert.deepStrictEqual([dropped.limit, dropped.shortestMillis], [19, 100])
  })
})

describe("Bulkhead.aimd", () => {
  const aimd = Bulkhead.aimd({ initial: 20, timeout: "5 seconds" })
  it("adds one, takes a tenth for a drop or a slow call, and stays while half is unused", () => {
    const at = (sample: Partial<Bulkhead.Sample>) =>
      aimd.update(aimd.initial, { ...busy(aimd.initial, 100), ...sample }).limit
    assert.deepStrictEqual(
      [at({}), at({ dropped: true }), at({ millis: 5001 }), at({ inFlight: 9 }), at({ inFlight: 10 })],
      [21, 18, 18, 20, 21]
    )
  })
  it("takes at least one", () => {
    const small = { limit: 3 }
    assert.strictEqual(aimd.update(small, busy(small, 1, true)).limit, 2)
  })
})

const Step = Schema.Struct({
  millis: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1e9 })),
  inFlight: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2000 })),
  dropped: Schema.Boolean,
  random: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
})
const within = <State extends Bulkhead.LimitState>(
  algorithm: Bulkhead.Algorithm<State>,
  steps: ReadonlyArray<Bulkhead.Sample>,
  minimum: number,
  maximum: number
) => {
  let state = algorithm.initial
  for (const step of steps) {
    state = algorithm.update(state, step)
    assert.isTrue(state.limit >= minimum && state.limit <= maximum, `${algorithm.name}: ${state.limit}`)
  }
  assert.strictEqual(algorithm.resize(state, 1e6).limit, maximum)
  assert.strictEqual(algorithm.resize(state, 1).limit, minimum)
}

describe("every limit algorithm", () => {
  it.effect.prop("stays within its bounds, whatever it is told", [Schema.Array(Step)], ([steps]) =>
    Effect.sync(() => {
      const bounds = { minimum: 3, maximum: 40 }
      within(Bulkhead.gradient(bounds), steps, 3, 40)
      within(Bulkhead.vegas(bounds), steps, 3, 40)
      within(Bulkhead.aimd(bounds), steps, 3, 40)
    }))
  it("refuses options that make no sense, by name", () => {
    const bad: ReadonlyArray<readonly [string, () => unknown]> = [
      ["minimum", () => Bulkhead.gradient({ minimum: 0 })],
      ["maximum", () => Bulkhead.gradient({ minimum: 10, maximum: 5 })],
      ["initial", () => Bulkhead.gradient({ initial: 500 })],
      ["smoothing", () => Bulkhead.gradient({ smoothing: 0 })],
      ["smoothing", () => Bulkhead.vegas({ smoothing: NaN })],
      ["probeMultiplier", () => Bulkhead.vegas({ probeMultiplier: 0 })],
      ["backoffRatio", () => Bulkhead.aimd({ backoffRatio: 1 })],
      ["timeout", () => Bulkhead.aimd({ timeout: 0 })],
      ["timeout", () => Bulkhead.aimd({ timeout: Infinity })]
    ]
    for (const [option, make] of bad) {
      try {
        make()
        assert.fail(`${option} was accepted`)
      } catch (error) {
        assert.instanceOf(error, InvalidOption.InvalidOption)
        assert.strictEqual(error.option, option)
      }
    }
  })
})

describe("Bulkhead.adaptive", () => {
  const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })
  const limitOf = (bulkhead: Bulkhead.Bulkhead) => Effect.map(bulkhead.stats, (stats) => stats.limit)

  it.effect("shrinks when the other side slows down, and lets waiters in when it grows again", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.adaptive({ name: "x", algorithm: Bulkhead.gradient(), queue: 1000 })
      const rush = (count: number, millis: number) =>
        Effect.gen(function*() {
          const fibers = yield* Effect.forEach(Array.from({ length: count }), () =>
            fork(bulkhead.run(Effect.sleep(millis))))
          for (let i = 0; i < count; i++) {
            yield* TestClock.adjust(millis)
          }
          yield* Effect.forEach(fibers, Fiber.join)
        })
      yield* rush(200, 100)
      const fast = yield* limitOf(bulkhead)
      assert.isAbove(fast, 50)
      yield* rush(200, 1000)
      assert.isBelow(yield* limitOf(bulkhead), fast / 2)
      const stats = yield* bulkhead.stats
      assert.deepStrictEqual([stats.inFlight, stats.queued, stats.completed], [0, 0, 400])
    }))
  it.effect("hears of timeouts as drops, and of plain failures and interruptions not at all", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.adaptive({ name: "x", algorithm: Bulkhead.aimd({ initial: 10 }) })
      yield* Effect.exit(bulkhead.run(Effect.fail("down")))
      yield* Effect.exit(bulkhead.run(Effect.die("bug")))
      yield* Effect.flatMap(fork(bulkhead.run(Effect.never)), Fiber.interrupt)
      assert.strictEqual(yield* limitOf(bulkhead), 10)

      const inside = yield* fork(Effect.exit(bulkhead.run(Deadline.within(Effect.never, 100))))
      yield* TestClock.adjust(100)
      assert.ok(Exit.isFailure(yield* Fiber.join(inside)))
      assert.strictEqual(yield* limitOf(bulkhead), 9)

      const outside = yield* fork(Effect.exit(Deadline.within(bulkhead.run(Effect.never), 100)))
      yield* TestClock.adjust(100)
      assert.ok(Exit.isFailure(yield* Fiber.join(outside)))
      assert.strictEqual(yield* limitOf(bulkhead), 8, "an interruption by the deadline is a timeout too")
    }))
  it.effect("asks the classifier of the call, and loses no permit when that throws", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.adaptive({ name: "x", algorithm: Bulkhead.aimd({ initial: 10 }) })
      yield* bulkhead.run(Effect.succeed("busy"), {
        classify: (exit) => Exit.isSuccess(exit) && exit.value === "busy" ? "drop" : "sample"
      })
      assert.strictEqual(yield* limitOf(bulkhead), 9)
      const exit = yield* Effect.exit(bulkhead.run(Effect.void, {
        classify: () => {
          throw new Error("classifier")
        }
      }))
      assert.ok(Exit.isFailure(exit))
      assert.strictEqual((yield* bulkhead.stats).inFlight, 0)
    }))
  it.effect("goes on from a limit that was set by hand, within its bounds", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.adaptive({ name: "x", algorithm: Bulkhead.aimd({ maximum: 50 }) })
      yield* bulkhead.resize(1000)
      assert.strictEqual(yield* limitOf(bulkhead), 50)
      yield* bulkhead.resize(1)
      yield* bulkhead.run(Effect.void)
      assert.strictEqual(yield* limitOf(bulkhead), 2)
    }).pipe(Random.withSeed("adaptive")))
})
