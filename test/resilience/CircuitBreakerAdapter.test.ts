import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Deferred, Duration, Effect, Exit, Fiber, Layer, Option, Schema, Scope, Stream } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import { CircuitBreaker as EffectBreaker } from "effect/persistence"
import * as CircuitBreaker from "effect-lifecycle/resilience/CircuitBreaker"
import * as CircuitBreakerAdapter from "effect-lifecycle/resilience/CircuitBreakerAdapter"
import { TestClock } from "effect/testing"

const key = "k"

const makeBoth = (policy?: Partial<CircuitBreaker.KeyedPolicy>) =>
  Effect.map(
    CircuitBreaker.make({ name: "b", trip: CircuitBreaker.consecutive(2), breakDuration: "5 seconds", ...policy }),
    (own) => ({ own, adapted: CircuitBreakerAdapter.make(own) })
  )

type Adapted = EffectBreaker.CircuitBreaker

const fail = (adapted: Adapted) => Effect.exit(adapted.execute(Effect.fail("down"), { key }))

const reasonOf = <A, E>(exit: Exit.Exit<A, E>) => {
  const error = Option.getOrUndefined(Exit.findErrorOption(exit))
  return error instanceof EffectBreaker.CircuitBreakerError ? error.reason : error
}

const tripped = (adapted: Adapted) => Effect.andThen(fail(adapted), fail(adapted))

const begin = Effect.fnUntraced(function*(adapted: Adapted) {
  const end = yield* Deferred.make<void, string>()
  const fiber = yield* Effect.forkChild(adapted.execute(Deferred.await(end), { key }), { startImmediately: true })
  return { end, fiber }
})

describe("CircuitBreakerAdapter.make", () => {
  it.effect("runs calls through the same circuits, data first and data last", () =>
    Effect.gen(function*() {
      const { adapted, own } = yield* makeBoth()
      assert.strictEqual(yield* adapted.execute(Effect.succeed(1), { key }), 1)
      assert.strictEqual(yield* Effect.succeed(2).pipe(adapted.execute({ key })), 2)
      assert.deepStrictEqual(yield* adapted.state(key), { _tag: "Closed", key })
      const own1 = yield* Effect.exit(Effect.fail("down").pipe(adapted.execute({ key })))
      assert.strictEqual(reasonOf(own1), "down")
      assert.strictEqual(reasonOf(yield* fail(adapted)), "down")
      assert.strictEqual((yield* own.snapshot(key)).state, "Open")
      assert.strictEqual(reasonOf(yield* Effect.exit(own.run("other", Effect.fail("down")))), "down")
      assert.strictEqual((yield* own.snapshot(key)).counts.failure, 2)
    }))

  it.effect("refuses with CircuitOpen and the time that is left, then with CircuitHalfOpen while probed", () =>
    Effect.gen(function*() {
      const { adapted } = yield* makeBoth()
      yield* tripped(adapted)
      yield* TestClock.adjust("1500 micros")
      const open = reasonOf(yield* fail(adapted))
      assert.isTrue(open instanceof EffectBreaker.CircuitOpen && open.key === key)
      if (!(open instanceof EffectBreaker.CircuitOpen)) return
      assert.strictEqual(Duration.toMillis(open.retryAfter), 4_999)
      const state = yield* adapted.state(key)
      assert.isTrue(state._tag === "Open" && state.consecutiveOpenings === 1)
      yield* TestClock.adjust(open.retryAfter)
      const probe = yield* begin(adapted)
      assert.deepStrictEqual(yield* adapted.state(key), {
        _tag: "HalfOpen",
        key,
        probing: true,
        consecutiveOpenings: 1
      })
      assert.isTrue(reasonOf(yield* fail(adapted)) instanceof EffectBreaker.CircuitHalfOpen)
      yield* Deferred.succeed(probe.end, undefined)
      yield* Fiber.join(probe.fiber)
      assert.strictEqual((yield* adapted.state(key))._tag, "Closed")
    }))

  it.effect("turns isolation into CircuitOpen with a time that is finite, above zero, and survives encoding", () =>
    Effect.gen(function*() {
      for (const breakDuration of ["5 seconds", "1 milli"] as const) {
        const { adapted, own } = yield* makeBoth({ breakDuration })
        yield* Effect.scoped(Effect.gen(function*() {
          yield* own.isolate(key)
          const reason = reasonOf(yield* Effect.exit(adapted.execute(Effect.void, { key })))
          assert.isTrue(reason instanceof EffectBreaker.CircuitOpen)
          if (!(reason instanceof EffectBreaker.CircuitOpen)) return
          const error = new EffectBreaker.CircuitBreakerError({ reason })
          const expected = breakDuration === "1 milli" ? 1_000 : 5_000
          assert.strictEqual(Duration.toMillis(reason.retryAfter), expected)
          const json = JSON.parse(JSON.stringify(yield* Schema.encodeEffect(EffectBreaker.CircuitBreakerError)(error)))
          const back = (yield* Schema.decodeUnknownEffect(EffectBreaker.CircuitBreakerError)(json)).reason
          assert.isTrue(back._tag === "CircuitOpen" && Duration.toMillis(back.retryAfter) === expected)
          const state = yield* adapted.state(key)
          assert.isTrue(state._tag === "Open" && Duration.toMillis(state.retryAfter) === expected)
        }))
        assert.strictEqual((yield* adapted.state(key))._tag, "Closed")
        yield* adapted.execute(Effect.void, { key })
      }
    }))

  it.effect("leaves the refusal of a breaker inside the call as it is", () =>
    Effect.gen(function*() {
      const { adapted } = yield* makeBoth()
      const inner = yield* CircuitBreaker.make({
        name: "inner",
        trip: CircuitBreaker.consecutive(1),
        breakDuration: "1 minute"
      })
      const call = adapted.execute(inner.run(key, Effect.fail("down")), { key })
      yield* Effect.exit(call)
      const reason = reasonOf(yield* Effect.exit(call))
      assert.isTrue(reason instanceof CircuitBreaker.CircuitOpen && reason.name === "inner")
      const classified = adapted.execute(inner.run(key, Effect.fail("down")), {
        key,
        classify: () => EffectBreaker.ignored
      })
      assert.isTrue(reasonOf(yield* Effect.exit(classified)) instanceof CircuitBreaker.CircuitOpen)
    }))

  it.effect("judges by the policy of the breaker when the caller does not classify", () =>
    Effect.gen(function*() {
      const { adapted } = yield* makeBoth({ isFailure: () => false })
      yield* tripped(adapted)
      yield* tripped(adapted)
      assert.strictEqual((yield* adapted.state(key))._tag, "Closed")
    }))

  describe("classify", () => {
    class Needed extends Context.Service<Needed, EffectBreaker.Outcome>()("test/Needed") {}

    it.effect("decides, as a function or as an effect with its own needs", () =>
      Effect.gen(function*() {
        const { adapted, own } = yield* makeBoth()
        const counts = Effect.map(own.snapshot(key), ({ counts }) => [counts.success, counts.failure, counts.neutral])
        assert.strictEqual(
          yield* adapted.execute(Effect.succeed("bad"), { key, classify: () => EffectBreaker.failure() }),
          "bad"
        )
        assert.deepStrictEqual(yield* counts, [0, 1, 0])
        const needing = adapted.execute(Effect.fail("fine"), {
          key,
          classify: () => Effect.andThen(Effect.void, Needed)
        })
        assert.strictEqual(
          reasonOf(yield* Effect.exit(Effect.provideService(needing, Needed, EffectBreaker.success))),
          "fine"
        )
        assert.deepStrictEqual(yield* counts, [1, 1, 0])
        yield* Effect.exit(Effect.fail("down").pipe(adapted.execute({ key, classify: () => EffectBreaker.ignored })))
        assert.deepStrictEqual(yield* counts, [1, 1, 1])
      }))

    it.effect("is not asked about interruption, which gives the probe's place back", () =>
      Effect.gen(function*() {
        const { adapted } = yield* makeBoth()
        yield* tripped(adapted)
        yield* TestClock.adjust("5 seconds")
        const asked = { count: 0 }
        const classify = () => {
          asked.count++
          return EffectBreaker.failure()
        }
        const probe = yield* Effect.forkChild(adapted.execute(Effect.never, { key, classify }), {
          startImmediately: true
        })
        yield* Fiber.interrupt(probe)
        yield* Effect.exit(adapted.execute(Effect.interrupt, { key, classify }))
        assert.strictEqual(asked.count, 0)
        assert.strictEqual(yield* adapted.execute(Effect.succeed("up"), { key }), "up")
      }))

    it.effect("that dies makes the call die, counts as nothing, and keeps no probe's place", () =>
      Effect.gen(function*() {
        const { adapted, own } = yield* makeBoth()
        yield* tripped(adapted)
        yield* TestClock.adjust("5 seconds")
        const classify = (): EffectBreaker.Outcome => {
          throw new Error("a bug")
        }
        const exit = yield* Effect.exit(adapted.execute(Effect.fail("down"), { key, classify }))
        assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause) && reasonOf(exit) === "down")
        assert.strictEqual((yield* own.snapshot(key)).counts.neutral, 1)
        assert.strictEqual(yield* adapted.execute(Effect.succeed("up"), { key }), "up")
      }))
  })

  it.effect("tells of its moves in the edges that Effect knows", () =>
    Effect.gen(function*() {
      const { adapted, own } = yield* makeBoth()
      const seen: Array<string> = []
      yield* adapted.transitions.pipe(
        Stream.runForEach((move) => Effect.sync(() => seen.push(`${move.from} ${move.to}`))),
        Effect.forkChild({ startImmediately: true })
      )
      const told = Effect.andThen(TestClock.adjust("1 milli"), Effect.sync(() => seen.splice(0)))
      yield* tripped(adapted)
      assert.deepStrictEqual(yield* told, ["Closed Open"])
      yield* TestClock.adjust("5 seconds")
      yield* fail(adapted)
      assert.deepStrictEqual(yield* told, ["Open HalfOpen", "HalfOpen Open"])
      yield* TestClock.adjust("5 seconds")
      yield* adapted.execute(Effect.void, { key })
      assert.deepStrictEqual(yield* told, ["Open HalfOpen", "HalfOpen Closed"])
      const scope = yield* Scope.make()
      yield* Scope.provide(own.isolate(key), scope)
      assert.deepStrictEqual(yield* told, ["Closed Open"])
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* told, ["Open HalfOpen", "HalfOpen Closed"])
      yield* tripped(adapted)
      yield* own.forceClose(key)
      assert.deepStrictEqual(yield* told, ["Closed Open", "Open HalfOpen", "HalfOpen Closed"])
    }))
})

describe("where Effect's breaker is wanted", () => {
  const answering = (status: number) =>
    HttpClient.make((request) => Effect.succeed(HttpClientResponse.fromWeb(request, new Response(null, { status }))))

  it.effect("HttpClient.withCircuitBreaker takes it, and keys by origin", () =>
    Effect.gen(function*() {
      const { adapted, own } = yield* makeBoth()
      const client = answering(503).pipe(HttpClient.withCircuitBreaker({ breaker: adapted }))
      yield* client.get("http://one.test/a")
      yield* client.get("http://one.test/b")
      const refused = yield* Effect.flip(client.get("http://one.test/c"))
      assert.strictEqual(refused._tag, "CircuitBreakerError")
      assert.strictEqual((yield* client.get("http://two.test/")).status, 503)
      assert.deepStrictEqual((yield* own.keys).toSorted(), ["http://one.test", "http://two.test"])
    }))

  it.effect("the layer provides it as Effect's service", () =>
    Effect.gen(function*() {
      const breaker = yield* EffectBreaker.CircuitBreaker
      yield* tripped(breaker)
      const own = yield* CircuitBreaker.Service
      assert.strictEqual((yield* own.snapshot(key)).state, "Open")
    }).pipe(Effect.provide(
      CircuitBreakerAdapter.layer.pipe(
        Layer.provideMerge(CircuitBreaker.Service.layer({
          name: "b",
          trip: CircuitBreaker.consecutive(2),
          breakDuration: "5 seconds"
        }))
      )
    )))
})
