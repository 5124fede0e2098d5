import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Random } from "effect"
import { InvalidOption, Throttle } from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"

/**
 * `offered` calls a second, of which the service accepts the first `capacity` of each second; gives the calls a second that
 * reached it over the last two of five minutes.
 */
const steadyState = Effect.fnUntraced(function*(options: {
  readonly throttle: Throttle.Throttle
  readonly offered: number
  readonly capacity: number
}) {
  let sent = 0
  let counted = 0
  for (let second = 0; second < 300; second++) {
    sent = 0
    const call = Effect.suspend(() => ++sent > options.capacity ? Effect.fail("overloaded") : Effect.void)
    for (let n = 0; n < options.offered; n++) yield* Effect.exit(options.throttle.run(call))
    if (second >= 180) counted += sent
    yield* TestClock.adjust("1 second")
  }
  return counted / 120
})

const repeat = <A, E>(n: number, effect: Effect.Effect<A, E>) => Effect.replicateEffect(Effect.exit(effect), n)

describe("Throttle", () => {
  it.effect("turns nothing away while calls are accepted", () =>
    Effect.gen(function*() {
      const throttle = yield* Throttle.make()
      const exits = yield* repeat(1000, throttle.run(Effect.void))
      assert.isTrue(exits.every(Exit.isSuccess))
      assert.deepStrictEqual(yield* throttle.stats, { requests: 1000, accepts: 1000, rejection: 0 })
    }))

  it.effect("turns nothing away while at least every k-th call is accepted", () =>
    Effect.gen(function*() {
      const throttle = yield* Throttle.make({ k: 2 })
      for (let n = 0; n < 500; n++) {
        yield* throttle.run(Effect.void)
        yield* Effect.flip(throttle.run(Effect.fail("no")))
      }
      assert.deepStrictEqual(yield* throttle.stats, { requests: 1000, accepts: 500, rejection: 0 })
    }))

  it.effect("uses the formula of the book", () =>
    Effect.gen(function*() {
      const throttle = yield* Throttle.make({ k: 2, maximumRejection: 1 })
      yield* repeat(10, throttle.run(Effect.void))
      yield* repeat(10, throttle.run(Effect.fail("no")))
      assert.strictEqual((yield* throttle.stats).rejection, 0)
      yield* repeat(1, throttle.run(Effect.fail("no")))
      assert.closeTo((yield* throttle.stats).rejection, (21 - 20) / 22, 1e-12)
    }))

  it.effect("in a steady state sends about k times what is accepted: 2 at K = 2", () =>
    Effect.gen(function*() {
      const throttle = yield* Throttle.make({ k: 2 })
      const sent = yield* steadyState({ throttle, offered: 200, capacity: 20 })
      assert.isAtLeast(sent, 36)
      assert.isAtMost(sent, 44)
    }).pipe(Random.withSeed("throttle")))

  it.effect("in a steady state sends about 1.1 times what is accepted at K = 1.1", () =>
    Effect.gen(function*() {
      const throttle = yield* Throttle.make({ k: 1.1, maximumRejection: 0.99 })
      const sent = yield* steadyState({ throttle, offered: 200, capacity: 20 })
      assert.isAtLeast(sent, 20)
      assert.isAtMost(sent, 25)
    }).pipe(Random.withSeed("throttle")))

  it.effect("never turns away more than the maximum, so that it notices when the service is back", () =>
    Effect.gen(function*() {
      const throttle = yield* Throttle.make({ maximumRejection: 0.9 })
      yield* repeat(3000, throttle.run(Effect.fail("down")))
      assert.strictEqual((yield* throttle.stats).rejection, 0.9)
      let sent = 0
      yield* repeat(1000, throttle.run(Effect.suspend(() => Effect.fail(++sent))))
      assert.isAtLeast(sent, 60)
      assert.isAtMost(sent, 140)
      for (let second = 0; second < 360; second++) {
        yield* repeat(20, throttle.run(Effect.void))
        yield* TestClock.adjust("1 second")
      }
      assert.strictEqual((yield* throttle.stats).rejection, 0)
    }).pipe(Random.withSeed("throttle")))

  it.effect("says why it turned a call away", () =>
    Effect.gen(function*() {
      const throttle = yield* Throttle.make({ name: "search", maximumRejection: 1 })
      const exits = yield* repeat(500, throttle.run(Effect.fail("down")))
      const refused = exits.flatMap((exit) =>
        Exit.isFailure(exit) ? exit.cause.reasons.flatMap((reason) => reason._tag === "Fail" ? [reason.error] : []) : []
      ).filter((error) => error instanceof Throttle.Throttled)
      const [first] = refused
      assert.isDefined(first)
      assert.match(first?.message ?? "", /^Throttle "search" turned the call away, .* of the last \d+ calls 0 were/)
    }).pipe(Random.withSeed("throttle")))

  it.effect("forgets after the window", () =>
    Effect.gen(function*() {
      const throttle = yield* Throttle.make({ window: "10 seconds" })
      yield* repeat(100, throttle.run(Effect.fail("down")))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* throttle.stats, { requests: 0, accepts: 0, rejection: 0 })
    }))

  it.effect("counts a call from its beginning, and takes it out again when it ends neutral", () =>
    Effect.gen(function*() {
      const throttle = yield* Throttle.make()
      const gate = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkChild(throttle.run(Deferred.await(gate)), { startImmediately: true })
      assert.strictEqual((yield* throttle.stats).requests, 1)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual((yield* throttle.stats).requests, 0)
      yield* Effect.exit(throttle.run(Effect.fail({ _tag: "CircuitOpen" })))
      assert.strictEqual((yield* throttle.stats).requests, 0)
    }))

  it.effect("asks classify what an exit means, and survives one that throws", () =>
    Effect.gen(function*() {
      const throttle = yield* Throttle.make()
      yield* Effect.exit(throttle.run(Effect.fail("404"), { classify: () => "success" }))
      assert.deepStrictEqual(yield* throttle.stats, { requests: 1, accepts: 1, rejection: 0 })
      const classify = () => {
        throw new Error("bug")
      }
      assert.strictEqual(yield* throttle.run(Effect.succeed(3), { classify }), 3)
      assert.deepStrictEqual(yield* throttle.stats, { requests: 2, accepts: 1, rejection: 0 })
    }))

  it("refuses options that make no sense", () => {
    const wrong = [{ k: 0 }, { k: 0.99 }, { k: Number.NaN }, { window: 0 }, { maximumRejection: 1.1 }, {
      maximumRejection: -0.1
    }]
    for (const options of wrong) assert.throws(() => Throttle.make(options), InvalidOption.InvalidOption)
  })
})
